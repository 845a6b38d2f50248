/** Uppy as a page would have it; told to send a file when the test says so. Bundled into the page. */
import Uppy from '@uppy/core'
import Tus from '@uppy/tus'

const page = globalThis

page.startUpload = (base64) => {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))
  const uppy = new Uppy({ autoProceed: false }).use(Tus, {
    endpoint: '/uploads/tus',
    chunkSize: 1_500_000,
    retryDelays: [200, 500, 1000, 2000],
    allowedMetaFields: ['kind', 'name', 'type'],
  })
  uppy.setMeta({ kind: 'image' })
  uppy.addFile({ name: 'harbour.png', type: 'image/png', data: new Blob([bytes], { type: 'image/png' }) })
  page.uploaded = 0
  uppy.on('upload-progress', (_file, { bytesUploaded }) => {
    page.uploaded = bytesUploaded
  })
  page.uppy = uppy
  page.done = uppy.upload().then(({ successful, failed }) => ({
    url: successful?.[0]?.uploadURL,
    failed: failed?.map(({ error }) => error) ?? [],
  }))
}
