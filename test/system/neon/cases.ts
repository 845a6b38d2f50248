/** One statement that every way to Postgres must answer alike. */
export interface Case {
  readonly sql: string
  readonly params?: readonly unknown[]
}

/** What the cases stand on. */
export const SETUP = `
  create type mood as enum ('sad', 'ok', 'very "happy", even');
  create type pair as (a int, b text);
  create domain positive as int check (value > 0);
  create table parent (id int primary key, name text unique);
  create table child (
    id int primary key,
    parent_id int not null references parent (id),
    amount numeric(6, 2) not null constraint amount_positive check (amount > 0),
    during int4range,
    exclude using gist (during with &&)
  );
  create table everything (
    id int primary key, small smallint, big bigint, real_ real, double_ double precision, exact numeric(20, 5),
    yes boolean, short varchar(20), fixed char(5), long text, bytes bytea, day date, clock time, clock_tz timetz,
    at timestamp, at_tz timestamptz, span interval, key uuid, doc json, docb jsonb, ints int[], texts text[],
    moods mood[], feeling mood, net inet, bits bit(4), spot point, range_ int4range
  );
  insert into parent values (1, 'one'), (2, 'two');
  insert into everything values (
    1, -32768, 9007199254740993, 1.5, 0.1, 123456789.12345, true, 'short', 'abc', e'line\\nbreak "quoted" \\\\', '\\xdeadbeef00',
    '2024-02-29', '23:59:59.999999', '12:00:00+02', '2024-02-29 12:00:00.123456', '2024-02-29 12:00:00.123456+00',
    '1 year 2 mons 3 days 04:05:06.789', '019300a1-0000-7000-8000-000000000001', '{"b": 1, "a": [1, 2.50]}',
    '{"b": 1, "a": [1, 2.50]}', '{1,NULL,3}', '{a,"b c",NULL,"NULL","quo\\"te","back\\\\slash"}', '{ok,"very \\"happy\\", even"}',
    'ok', '10.0.0.0/8', '1010', '(1,2)', '[1,5)'
  ), (2, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
    null, null, null, null, null, null, null, null, null, null);
  create function fails(what text) returns void language plpgsql as $$
  begin
    raise exception 'it failed: %', what using errcode = 'P0042', detail = 'the detail', hint = 'the hint',
      schema = 'the_schema', table = 'the_table', column = 'the_column', constraint = 'the_constraint',
      datatype = 'the_datatype';
  end $$;
  create function broken() returns int language plpgsql as $$
  begin
    return (select nothing from nowhere);
  end $$;
  create procedure proceeds(inout n int) language plpgsql as $$ begin n := n + 1; end $$;
`

const LITERALS: readonly string[] = [
  ...[
    'true',
    'false',
    'null',
    'null::int',
    "''",
    "'text'",
    '\'ünïcödé 🐘 "quoted"\'',
    "e'tab\\tnew\\nline\\\\'",
  ],
  ...['0', '-1', '2147483647', '32767::smallint', '9223372036854775807', '0::oid', '1::"char"', "'x'::name"],
  ...['1.10', '0.1::real', '1e300::float8', "'NaN'::float8", "'Infinity'::float8", "'-Infinity'::float4"],
  ...['123456789012345678901234567890.123456789', "'NaN'::numeric", '1.000::numeric(10,3)', '12.34::money'],
  ...["'\\xdeadbeef'::bytea", "''::bytea", "'2024-02-29'::date", "'infinity'::date", "'0044-03-15 BC'::date"],
  ...["'12:34:56.789'::time", "'12:34:56+05:30'::timetz", "'2024-02-29 12:34:56.789'::timestamp"],
  ...["'2024-02-29 12:34:56.789+00'::timestamptz", "'infinity'::timestamptz", "'-infinity'::timestamp"],
  ...["'1 day'::interval", "'1 year -2 mons 3 days 04:05:06.7'::interval", "'-00:00:01'::interval"],
  ...[
    "'019300a1-0000-7000-8000-000000000001'::uuid",
    '\'{"a": [1, null, "x"]}\'::json',
    '\'{"a": 1}\'::jsonb',
  ],
  ...["'null'::jsonb", '\'"s"\'::json', "'12345678901234567890'::json", '\'{"n": 1.10}\'::json'],
  ...[
    "'{}'::int[]",
    'array[1, null, 3]',
    'array[[1, 2], [3, 4]]',
    'array[1.5, 2]::float8[]',
    'array[true, null]',
  ],
  ...[
    "array['a', 'b c', null, 'NULL', 'q\"q', 'b\\s', '{}', ',']",
    'array[1::bigint, 2]',
    "'[0:1]={a,b}'::text[]",
  ],
  ...["array['2024-01-01'::date]", "array['2024-01-01 00:00+00'::timestamptz]", "array['1 h'::interval]"],
  ...[
    'array[1.50::numeric]',
    'array[\'{"a": 1}\'::jsonb]',
    "array['\\x00ff'::bytea]",
    'array[gen_random_uuid()] is null',
  ],
  ...[
    "'ok'::mood",
    "array['ok', 'sad']::mood[]",
    "row(1, 'x')::pair",
    "array[row(1, 'x y')::pair]",
    '5::positive',
  ],
  ...[
    "'10.0.0.1'::inet",
    "'10.0.0.0/8'::cidr",
    "'08:00:2b:01:02:03'::macaddr",
    "b'1010'",
    "b'101'::bit varying",
  ],
  ...[
    "'(1,2)'::point",
    "'<(1,2),3>'::circle",
    "'((0,0),(1,1))'::box",
    "'[1,5)'::int4range",
    "'{[1,2),[5,6)}'::int4multirange",
  ],
  ...[
    "'a & b'::tsquery",
    "'a b'::tsvector",
    "'<a>1</a>'::xml is null",
    "'0/0'::pg_lsn",
    "'parent'::regclass::text",
  ],
  ...[
    "array['(1,2)'::point]",
    'int4range(1, 1)',
    "'empty'::int4range",
    "'\\x'::bytea",
    "repeat('x', 70000)",
    "'abc'::char(5)",
  ],
]

const PARAMETERS: readonly Case[] = [
  { sql: 'select $1::int as v', params: [42] },
  { sql: 'select $1::int as v', params: [null] },
  { sql: 'select $1::text as v', params: ['it\'s "quoted" \\ 🐘'] },
  { sql: 'select $1::text as v', params: [''] },
  { sql: 'select $1::bigint as v', params: ['9223372036854775807'] },
  { sql: 'select $1::bigint as v', params: [9007199254740993n] },
  { sql: 'select $1::float8 as v', params: [0.1] },
  { sql: 'select $1::bool as v', params: [true] },
  { sql: 'select $1::timestamptz as v', params: [new Date('2024-02-29T12:00:00.123Z')] },
  { sql: 'select $1::jsonb as v', params: [{ a: [1, null, 'x'], b: { c: true } }] },
  { sql: 'select $1::json as v', params: [JSON.stringify([1, 2])] },
  { sql: 'select $1::int[] as v', params: [[1, null, 3]] },
  { sql: 'select $1::text[] as v', params: [['a', 'b c', null, 'NULL', 'q"q', 'b\\s', '{}', ',', '']] },
  {
    sql: 'select $1::text[][] as v',
    params: [
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
  },
  { sql: 'select $1::bytea as v', params: [Buffer.from([0, 1, 254, 255])] },
  { sql: 'select $1::mood as v, $2::uuid as u', params: ['ok', '019300a1-0000-7000-8000-000000000001'] },
  { sql: 'select $1::interval as v', params: ['1 day 2 hours'] },
  { sql: 'select $1 || $2 as v', params: ['a', 'b'] },
  { sql: 'select $2::int as b, $1::int as a, $1::int as again', params: [1, 2] },
  {
    sql: 'select count(*) as v from unnest($1::int[]) x',
    params: [Array.from({ length: 2000 }, (_, n) => n)],
  },
]

const SHAPES: readonly Case[] = [
  { sql: 'select 1 as a, 2 as b, 3 as a' },
  { sql: 'select 1' },
  { sql: 'select' },
  { sql: 'select 1 as "weird "" name", 2 as "Ünï"' },
  { sql: 'select * from everything order by id' },
  { sql: 'select id, exact, short, fixed, at_tz from everything where id = $1', params: [1] },
  { sql: 'select id from everything where false' },
  { sql: 'select e.id, p.name from everything e join parent p on p.id = e.id' },
  { sql: 'select generate_series(1, 1000) as n, md5(generate_series(1, 1000)::text) as h' },
  { sql: 'table parent order by 1' },
  { sql: 'values (1, $1::text), (2, null)', params: ['x'] },
  { sql: 'show server_version' },
  { sql: 'explain (costs off) select * from parent where id = 1' },
  { sql: 'with x as (select 1 as a) select * from x' },
  { sql: 'call proceeds(41)' },
  { sql: "do $$ begin raise notice 'said by the way'; end $$" },
  { sql: 'set local statement_timeout = 1000' },
  { sql: "select set_config('application_name', 'x', true) as v" },
]

/** They change something, so each runs in a transaction that is undone. */
export const CHANGES: readonly Case[] = [
  { sql: 'insert into parent values (3, $1)', params: ['three'] },
  { sql: 'insert into parent values (3, $1), (4, null) returning *', params: ['three'] },
  { sql: "insert into parent values (1, 'x') on conflict do nothing" },
  {
    sql: "insert into parent values (1, 'x') on conflict (id) do update set name = excluded.name returning name",
  },
  { sql: 'update parent set name = name || $1', params: ['!'] },
  { sql: 'update parent set name = $1 where id = 99', params: ['!'] },
  { sql: 'delete from everything' },
  { sql: 'delete from everything where id = $1 returning id, key', params: [1] },
  {
    sql: "merge into parent p using (values (1), (9)) s(id) on p.id = s.id when matched then update set name = 'm' when not matched then insert values (s.id, 'new')",
  },
  { sql: 'create table made (id int)' },
  { sql: 'create table made as select generate_series(1, 5) as n' },
  { sql: 'create index on parent (name)' },
  { sql: 'truncate child' },
  { sql: 'drop table child' },
  { sql: "comment on table parent is 'x'" },
  { sql: 'lock table parent in share mode' },
]

/** They fail. */
export const FAILURES: readonly Case[] = [
  { sql: 'selekt 1' },
  { sql: 'select 1; select 2' },
  { sql: "select 'unterminated" },
  { sql: 'select nothing from parent' },
  { sql: 'select * from nowhere' },
  { sql: 'select no_such_function($1)', params: ['x'] },
  { sql: 'select 1 / $1::int', params: [0] },
  { sql: 'select $1::int', params: ['not a number'] },
  { sql: "select '2024-13-01'::date" },
  { sql: 'select $1::jsonb', params: ['{not json'] },
  { sql: 'select 32768::smallint' },
  { sql: "select 'furious'::mood" },
  { sql: 'select (-1)::positive' },
  { sql: "insert into parent values (1, 'again')" },
  { sql: 'insert into parent values (5, $1)', params: ['one'] },
  { sql: 'insert into parent values (null, $1)', params: ['x'] },
  { sql: 'insert into child (id, parent_id, amount) values (7, 99, 1)' },
  { sql: 'insert into child (id, parent_id, amount) values (7, 1, -1)' },
  { sql: 'insert into child (id, parent_id, amount) values (7, 1, 99999)' },
  { sql: "insert into child values (1, 1, 1, '[1,5)'), (2, 1, 1, '[2,3)')" },
  { sql: 'delete from parent where fails($1) is null', params: ['ünï'] },
  { sql: 'select fails($1)', params: ['here'] },
  { sql: 'select broken()' },
  { sql: 'select $1::int, $2::int', params: [1] },
  { sql: 'select * from pg_authid' },
  { sql: 'select repeat($1, 2000000000)', params: ['xx'] },
  { sql: 'vacuum nowhere' },
  { sql: 'savepoint a' },
  { sql: 'fetch all from nothing_open' },
  { sql: 'select pg_terminate_backend(0, -1)' },
]

/** They neither change anything nor leave a trace in the session. */
export const READS: readonly Case[] = [
  ...LITERALS.map((literal) => ({ sql: `select ${literal} as v` })),
  ...PARAMETERS,
  ...SHAPES,
]
