import { sentryCloudflare } from 'breakwater/capture/sentry-cloudflare'
import { ours } from './ours.ts'

export default ours(sentryCloudflare())
