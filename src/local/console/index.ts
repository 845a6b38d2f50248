/**
 * The page that links every part of the local stack.
 * @module
 */
export { createConsoleApp } from './app.ts'
