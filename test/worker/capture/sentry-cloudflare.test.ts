import { sentryCloudflare } from 'breakwater/capture/sentry-cloudflare'
import { captureContract } from './contract.ts'

captureContract(sentryCloudflare())
