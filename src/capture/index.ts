/**
 * Error capture: sees what fails in a worker and tells the tracker, without personal data and without delay.
 * @module
 */
export { Capture, type CaptureOptions, createCapture } from './capture.ts'
export { captureMiddleware } from './middleware.ts'
export { type Captured, type Handlers, withCapture } from './wrap.ts'
