import { describe, expect, it } from 'vitest'
import { FaultBox, parseFaults } from '../../../src/local/faults.ts'

describe('faults as they are asked for', () => {
  it('may be one or several', () => {
    expect(parseFaults({ latency: 8 })).toEqual([{ latency: 8 }])
    expect(parseFaults([{ latency: 8, jitter: 2 }, { drop: true }])).toEqual([
      { latency: 8, jitter: 2 },
      { drop: 'before' },
    ])
  })

  it.each([
    [null, 'A fault is a JSON object'],
    ['503', 'A fault is a JSON object'],
    [{}, 'needs one of latency, status, hang or drop'],
    [{ times: 2 }, 'needs one of'],
    [{ statsu: 503 }, '"statsu" is not part of a fault'],
    [JSON.parse('{"__proto__": 1}'), '"__proto__" is not part of a fault'],
    [{ status: 99 }, '"status" must be a whole number from 200 to 599'],
    [{ status: '503' }, '"status" must be'],
    [{ latency: -1 }, '"latency" must be milliseconds'],
    [{ latency: 1e9 }, '"latency" must be milliseconds'],
    [{ drop: 'sometimes' }, '"drop" must be'],
    [{ hang: false }, '"hang" must be true'],
    [{ status: 503, hang: true }, 'cannot both happen'],
    [{ latency: 1, body: 'x' }, 'go with "status"'],
    [{ status: 503, jitter: 1 }, '"jitter" goes with "latency"'],
    [{ status: 503, times: 0 }, '"times" must be'],
    [{ status: 503, match: '' }, '"match" must be'],
    [{ status: 503, headers: { 'bad name': 'x' } }, '"headers" must be'],
    [{ status: 503, headers: { a: 1 } }, '"headers" must be'],
  ])('are refused with a sentence: %j', (json, said) => {
    expect(() => parseFaults(json)).toThrow(TypeError)
    expect(() => parseFaults(json)).toThrow(said)
  })
})

describe('faults as they strike', () => {
  const box = (json: unknown): FaultBox => {
    const faults = new FaultBox()
    faults.set(parseFaults(json))
    return faults
  }

  it('strike as many times as was said and then are gone', () => {
    const faults = box({ status: 503, times: 2 })
    expect([1, 2, 3].map(() => faults.strike('GET /').end)).toEqual(['reply', 'reply', 'none'])
    expect(faults.any).toBe(false)
  })

  it('strike only what they match', () => {
    const faults = box([
      { status: 503, match: 'POST /sql' },
      { drop: 'before', contains: 'INSERT' },
    ])
    expect(faults.strike('GET /sql', '').end).toBe('none')
    expect(faults.strike('POST /sql', '').end).toBe('reply')
    expect(faults.strike('POST /other', 'insert').end).toBe('none')
    expect(faults.strike('POST /other', 'INSERT INTO').end).toBe('drop')
  })

  it('add up their latencies, and one that ends the request spares those behind it', () => {
    const faults = box([
      { latency: 20 },
      { latency: 30, times: 1 },
      { status: 500, times: 1 },
      { hang: true, times: 1 },
    ])
    expect(faults.strike('GET /')).toMatchObject({ latency: 50, end: 'reply' })
    expect(faults.strike('GET /')).toMatchObject({ latency: 20, end: 'hang' })
    expect(faults.strike('GET /')).toMatchObject({ latency: 20, end: 'none' })
  })

  it('keep jitter within its bounds and never below nothing', () => {
    const faults = box({ latency: 5, jitter: 10 })
    for (let i = 0; i < 200; i++) {
      const { latency } = faults.strike('GET /')
      expect(latency).toBeGreaterThanOrEqual(0)
      expect(latency).toBeLessThanOrEqual(15)
    }
  })

  it('have no status for a WebSocket message, which keeps the strike', () => {
    const faults = box({ status: 503, times: 1 })
    expect(faults.strike('WS /v2').end).toBe('none')
    expect(faults.list()).toEqual([{ status: 503, times: 1, left: 1 }])
  })
})
