/** Numbers from a seed: the same sequence every time (mulberry32). */
function generator(seed: number): (below: number) => number {
  let state = seed | 0
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below)
  }
}

// K key, M member, I integer, S exactly representable score, V value, B score bound, L lexical bound.
// The same few keys are used by every type, so that the wrong type is met often.
const TEMPLATES = `
SET K V|SET K V NX|SET K V XX|SET K V GET|GET K|GETSET K V|GETDEL K|APPEND K V|STRLEN K|INCR N|INCRBY N I|DECR N
INCRBYFLOAT N S|GETRANGE K I I|SETRANGE K 2 V|MSET K V K V|MGET K K K|SETNX K V|SETBIT K 9 1|GETBIT K 9|BITCOUNT K
DEL K|EXISTS K K|TYPE K|RENAME K K|RENAMENX K K|COPY K K|COPY K K REPLACE|PERSIST K|TTL K|KEYS *|DBSIZE
HSET K M V|HSET K M V M V|HGET K M|HDEL K M M|HGETALL K|HINCRBY K M I|HLEN K|HMGET K M M|HEXISTS K M|HSETNX K M V
SADD K M M|SREM K M|SMEMBERS K|SCARD K|SISMEMBER K M|SINTER K K|SUNION K K|SDIFF K K|SINTERSTORE K K K|SUNIONSTORE K K K
SDIFFSTORE K K K|SMOVE K K M|SMISMEMBER K M M
ZADD K S M S M|ZADD K NX S M|ZADD K XX CH S M|ZADD K GT S M|ZADD K LT CH S M|ZADD K INCR S M|ZINCRBY K S M|ZREM K M
ZSCORE K M|ZRANK K M|ZREVRANK K M|ZRANGE K I I WITHSCORES|ZRANGE K B B BYSCORE|ZRANGE K I I REV|ZCOUNT K B B
ZRANGEBYSCORE K B B LIMIT 1 2|ZREVRANGEBYSCORE K B B WITHSCORES|ZPOPMIN K|ZPOPMAX K 2|ZREMRANGEBYRANK K I I
ZREMRANGEBYSCORE K B B|ZUNIONSTORE K 2 K K|ZINTERSTORE K 2 K K WEIGHTS 2 3|ZUNION 2 K K WITHSCORES AGGREGATE MAX
ZDIFF 2 K K|ZLEXCOUNT K L L|ZRANGEBYLEX K L L|ZRANGESTORE K K I I|ZCARD K|ZMSCORE K M M
LPUSH K V V|RPUSH K V|LPOP K|RPOP K 2|LRANGE K I I|LLEN K|LINDEX K I|LSET K I V|LREM K I V|LTRIM K I I
LINSERT K BEFORE V V|LPOS K V RANK -1|LMOVE K K LEFT RIGHT|RPOPLPUSH K K|LPUSHX K V|LMPOP 2 K K LEFT
`
  .trim()
  .split(/[|\n]/)
  .map((template) => template.split(' '))

/** A sequence of commands from a seed. */
export function randomCommands(seed: number, count: number): string[][] {
  const random = generator(seed)
  const pick = (list: readonly string[]): string => list[random(list.length)] as string
  const fill: Record<string, () => string> = {
    K: () => pick(['k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8']),
    N: () => pick(['n1', 'n2', 'k1']),
    M: () => pick(['a', 'b', 'c', 'd', 'e', 'f', '']),
    V: () => pick(['a', 'b', 'c', '1', '10', '-5', 'text', '', 'h\u00e9']),
    I: () => pick(['0', '1', '2', '-1', '-2', '5', '-10', '100']),
    S: () => pick(['0', '1', '2', '-1', '0.5', '1.25', '100', '-7.75']),
    B: () => pick(['-inf', '+inf', '0', '1', '(1', '2', '(0.5', '-1']),
    L: () => pick(['-', '+', '[a', '(b', '[d', '(f']),
  }
  const commands: string[][] = []
  for (let i = 0; i < count; i++) {
    const template = TEMPLATES[random(TEMPLATES.length)] as string[]
    commands.push(template.map((word, at) => (at > 0 && fill[word] ? fill[word]() : word)))
    // The store fills up and empties, so that missing keys are met as often.
    if (i % 150 === 149) commands.push(['FLUSHALL'])
  }
  return commands
}
