/**
 * The page that links every part of the local stack.
 * @module
 */
export { type ConsoleOptions, createConsoleApp } from './app.ts'
