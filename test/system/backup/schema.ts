/** Tables that make trouble: every common type, every kind of reference, everything that moves by itself. */
export const EVERYTHING: string = `
create type mood as enum ('sad', 'so so', 'happy');
--> statement-breakpoint
create table people (
  id bigint generated always as identity primary key,
  name text not null,
  manager_id bigint references people (id),
  updated_at timestamptz not null default '2026-01-01',
  shouting text generated always as (upper(name)) stored
);
--> statement-breakpoint
create table types (
  id serial primary key,
  a_smallint smallint, a_int int, a_bigint bigint, a_numeric numeric(30, 10), a_real real, a_double double precision,
  a_money money, a_bool boolean, a_char char(5), a_varchar varchar(20), a_text text, a_bytea bytea,
  a_date date, a_time time, a_timetz timetz, a_timestamp timestamp, a_timestamptz timestamptz, an_interval interval,
  a_uuid uuid, a_json json, a_jsonb jsonb, an_xml xml, an_inet inet, a_cidr cidr, a_mac macaddr,
  a_point point, a_range int4range, a_multirange datemultirange, a_bits bit varying(8), a_tsvector tsvector,
  ints int[], texts text[][], a_mood mood, moods mood[], a_ltree_like text collate "C"
);
--> statement-breakpoint
create table orders (id int primary key, main_line_id int);
--> statement-breakpoint
create table lines (id int primary key, order_id int not null references orders (id), person_id bigint references people (id));
--> statement-breakpoint
alter table orders add constraint orders_main_line_fk foreign key (main_line_id) references lines (id);
--> statement-breakpoint
create table nothing (id int primary key, "Odd ""name""" text);
--> statement-breakpoint
create schema "Odd Schema";
--> statement-breakpoint
create table "Odd Schema"."Odd.Table" ("select" int primary key, "a""b" text);
--> statement-breakpoint
create table readings (at date not null, value int not null, primary key (at, value)) partition by range (at);
--> statement-breakpoint
create table readings_2025 partition of readings for values from ('2025-01-01') to ('2026-01-01');
--> statement-breakpoint
create table readings_2026 partition of readings for values from ('2026-01-01') to ('2027-01-01');
--> statement-breakpoint
create table many (id bigint primary key, payload text not null);
--> statement-breakpoint
create sequence tickets start 1000;
--> statement-breakpoint
create function touch() returns trigger language plpgsql as $$ begin new.updated_at := now(); return new; end $$;
--> statement-breakpoint
create trigger people_touch before insert or update on people for each row execute function touch();
--> statement-breakpoint
create materialized view order_sizes as select order_id, count(*) as lines from lines group by order_id;
--> statement-breakpoint
insert into orders (id) values (999);
`

/** Rows that make trouble. */
export const ROWS: string = `
insert into people (name) values ('Ada'), ('Bo\\b'), (E'tab\\tand\\nline'), ('{"quoted", \\\\N}'), ('Zoë 😀 文字');
update people set manager_id = 5 where id < 3;
update people set manager_id = 1 where id = 4;
insert into types values (default,
  -32768, 2147483647, 9223372036854775807, 12345678901234567890.0123456789, 'NaN', 0.1::float8 + 0.2,
  '$1,234.56', true, 'ab', 'vär', E'x\\r\\ny\\u0001', '\\x00ff0a5c',
  '-infinity', '23:59:59.999999', '10:00:00+05:30', '2026-02-28 12:34:56.789012', 'infinity', '1 year -2 mons 3 days 04:05:06.7',
  '01234567-89ab-7def-8123-456789abcdef', '{"a" : [1, null]}', '{"b": {"c": "\\u00e9"}}', '<a b="1">x</a>', '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03',
  '(1.5,-2)', '[1,10)', '{[2026-01-01,2026-02-01)}', B'101', 'the quick:1 fox:2',
  '{1,NULL,3}', '{{"a","b,c"},{"NULL","d\\"e"}}', 'so so', '{happy,sad}', 'z');
insert into types (id) values (default);
insert into types (id, a_text, a_real, a_double) values (default, '', 'Infinity', '-Infinity');
insert into orders values (1, null), (2, null);
insert into lines values (10, 1, 2), (11, 1, null), (20, 2, 5);
update orders set main_line_id = 11 where id = 1;
delete from orders where id = 999;
insert into "Odd Schema"."Odd.Table" values (1, 'x'), (2, null);
insert into readings values ('2025-06-01', 1), ('2026-06-01', 2), ('2026-06-01', 3);
select nextval('tickets'), nextval('tickets');
refresh materialized view order_sizes;
`
