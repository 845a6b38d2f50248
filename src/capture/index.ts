/**
 * Error capture: sees what fails in a worker and tells the tracker, without personal data and without delay.
 * @module
 */
export { Capture, createCapture } from './capture.ts'
export type { EventClient, ExceptionValue, Frame, RawEvent } from './client.ts'
export { captureObject } from './durable-object.ts'
export { captureMiddleware } from './middleware.ts'
export type { CaptureOptions, SampleRule } from './options.ts'
export { type OtlpOptions, otlp } from './otlp.ts'
export type { Trace, TraceExporter, TraceSpan } from './trace.ts'
export { traceRoutes } from './trace-routes.ts'
export { tracedBucket } from './traced-bucket.ts'
export { type TracedFetchOptions, tracedFetch } from './traced-fetch.ts'
export { captureTunnel, type TunnelOptions } from './tunnel.ts'
export type { CaptureSource } from './watch.ts'
export { type Captured, type Handlers, withCapture } from './wrap.ts'
