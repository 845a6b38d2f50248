/** As little as a worker can be. */
export default { fetch: () => new Response('ok') }
