/** The worker under which tests run inside workerd. Tests import what they exercise directly. */
export default {
  fetch(): Response {
    return new Response('breakwater test harness')
  },
} satisfies ExportedHandler
