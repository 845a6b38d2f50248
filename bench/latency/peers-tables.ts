/** The tables that better-auth keeps, as its documentation lists them. */
export const PEERS_TABLES = `
create table peer_user (id text primary key, name text not null, email text not null unique,
  email_verified boolean not null, image text, created_at timestamp not null, updated_at timestamp not null);
create table peer_session (id text primary key, expires_at timestamp not null, token text not null unique,
  ip_address text, user_agent text, user_id text not null references peer_user,
  created_at timestamp not null, updated_at timestamp not null);
create index on peer_session (user_id);
create table peer_account (id text primary key, account_id text not null, provider_id text not null,
  user_id text not null references peer_user, access_token text, refresh_token text, id_token text,
  access_token_expires_at timestamp, refresh_token_expires_at timestamp, scope text, password text,
  created_at timestamp not null, updated_at timestamp not null);
create index on peer_account (user_id);
create table peer_verification (id text primary key, identifier text not null, value text not null,
  expires_at timestamp not null, created_at timestamp not null, updated_at timestamp not null);
create index on peer_verification (identifier);`
