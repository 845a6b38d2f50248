/**
 * The least that some tries asked of a stand-in. What was begun behind an earlier reply, a refund or a count for the
 * alerts, may fall into one of them; what an answer itself needs is in all of them.
 * @param url The stand-in's.
 */
export async function fewest(url: string, act: () => Promise<unknown>, tries = 3): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < tries; i++) {
    await fetch(`${url}/__breakwater/stats`, { method: 'DELETE' })
    await act()
    const { total } = (await (await fetch(`${url}/__breakwater/stats`)).json()) as { total: number }
    least = Math.min(least, total)
  }
  return least
}
