import process from 'node:process'
import { startTusPeer } from '../../test/conformance/tus-peer.ts'

// In a process of its own, so that it does not share a thread with the client.
const peer = await startTusPeer(2 ** 33)
process.send?.(peer.url)
process.once('disconnect', () => void peer.stop().then(() => process.exit(0)))
