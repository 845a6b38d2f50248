/**
 * Error capture in the page: errors, unhandled rejections, failed requests and web vitals, sent to the page's own server.
 * @module
 */
export { type PageCapture, type PageCaptureOptions, startCapture } from './start.ts'
