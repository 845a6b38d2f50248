CREATE SCHEMA "breakwater";
--> statement-breakpoint
CREATE TABLE "breakwater"."api_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"name" text NOT NULL,
	"start" text NOT NULL,
	"key_hash" text NOT NULL,
	"scopes" text[] DEFAULT '{}'::text[] NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp with time zone,
	"expires_at" timestamp with time zone,
	"revoked_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "breakwater"."auth_events" (
	"id" uuid PRIMARY KEY NOT NULL,
	"type" text NOT NULL,
	"user_id" uuid,
	"session_id" uuid,
	"address" text,
	"device" text,
	"country" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "breakwater"."recovery_codes" (
	"user_id" uuid NOT NULL,
	"code_hash" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "recovery_codes_user_id_code_hash_pk" PRIMARY KEY("user_id","code_hash")
);
--> statement-breakpoint
CREATE TABLE "breakwater"."sessions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"secret_hash" text NOT NULL,
	"generation" integer NOT NULL,
	"transport" text DEFAULT 'cookie' NOT NULL,
	"refresh_counter" integer DEFAULT 0 NOT NULL,
	"refreshed_at" timestamp with time zone DEFAULT now() NOT NULL,
	"methods" text[] DEFAULT '{password}'::text[] NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"authenticated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"device" text,
	"country" text,
	"city" text
);
--> statement-breakpoint
CREATE TABLE "breakwater"."totp_factors" (
	"user_id" uuid PRIMARY KEY NOT NULL,
	"sealed_secret" text NOT NULL,
	"confirmed_at" timestamp with time zone,
	"last_step" bigint DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "breakwater"."users" (
	"id" uuid PRIMARY KEY NOT NULL,
	"email" text NOT NULL,
	"password_hash" text,
	"email_verified_at" timestamp with time zone,
	"session_generation" integer DEFAULT 0 NOT NULL,
	"roles" text[] DEFAULT '{}'::text[] NOT NULL,
	"disabled_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "breakwater"."verification_tokens" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"purpose" text NOT NULL,
	"secret_hash" text NOT NULL,
	"password_hash" text,
	"email" text,
	"expires_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "verification_tokens_purpose_check" CHECK ("breakwater"."verification_tokens"."purpose" in ('verify-mail', 'reset-password', 'change-mail', 'mail-changed'))
);
--> statement-breakpoint
CREATE TABLE "breakwater"."query_history" (
	"kind" text NOT NULL,
	"key" text NOT NULL,
	"taken_at" timestamp with time zone NOT NULL,
	"text" text,
	"calls" bigint NOT NULL,
	"milliseconds" double precision NOT NULL,
	"rows" bigint NOT NULL,
	"calls_so_far" bigint NOT NULL,
	"milliseconds_so_far" double precision NOT NULL,
	"rows_so_far" bigint NOT NULL,
	"seen_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "query_history_kind_key_taken_at_pk" PRIMARY KEY("kind","key","taken_at")
);
--> statement-breakpoint
CREATE TABLE "breakwater"."job_lanes" (
	"lane" text PRIMARY KEY NOT NULL,
	"holders" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"arrival" timestamp with time zone NOT NULL,
	"touched_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "breakwater"."job_schedules" (
	"name" text PRIMARY KEY NOT NULL,
	"last_tick" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "breakwater"."jobs" (
	"id" uuid PRIMARY KEY NOT NULL,
	"type" text NOT NULL,
	"version" integer NOT NULL,
	"input" jsonb NOT NULL,
	"input_object" text,
	"key" text,
	"debounce" text,
	"state" text NOT NULL,
	"priority" smallint DEFAULT 0 NOT NULL,
	"run_at" timestamp with time zone NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"max_attempts" integer NOT NULL,
	"lease_ms" integer NOT NULL,
	"lease_token" uuid,
	"lease_until" timestamp with time zone,
	"send_after" timestamp with time zone NOT NULL,
	"sends" integer DEFAULT 0 NOT NULL,
	"steps" jsonb,
	"progress" jsonb,
	"batch_id" uuid,
	"batch_open" boolean DEFAULT false NOT NULL,
	"waits_for" integer DEFAULT 0 NOT NULL,
	"traceparent" text,
	"failure" text,
	"failure_detail" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp with time zone,
	"finished_at" timestamp with time zone,
	CONSTRAINT "jobs_state_known" CHECK ("breakwater"."jobs"."state" in ('pending', 'running', 'done', 'dead', 'cancelled', 'discarded')),
	CONSTRAINT "jobs_running_is_leased" CHECK (("breakwater"."jobs"."state" = 'running') = ("breakwater"."jobs"."lease_token" is not null and "breakwater"."jobs"."lease_until" is not null)),
	CONSTRAINT "jobs_finished_has_time" CHECK (("breakwater"."jobs"."state" in ('pending', 'running')) = ("breakwater"."jobs"."finished_at" is null)),
	CONSTRAINT "jobs_waits_for_some" CHECK ("breakwater"."jobs"."waits_for" >= 0)
);
--> statement-breakpoint
CREATE TABLE "breakwater"."upload_transfers" (
	"upload_id" uuid PRIMARY KEY NOT NULL,
	"mode" text NOT NULL,
	"length" bigint,
	"metadata" text,
	"received_bytes" bigint DEFAULT 0 NOT NULL,
	"part_bytes" integer NOT NULL,
	"multipart_id" text,
	"etags" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"tail_key" text,
	"lock_token" uuid,
	"lock_until" timestamp with time zone,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "breakwater"."upload_usage" (
	"owner_id" uuid PRIMARY KEY NOT NULL,
	"reserved_bytes" bigint DEFAULT 0 NOT NULL,
	"stored_bytes" bigint DEFAULT 0 NOT NULL,
	"files" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "upload_usage_never_negative" CHECK ("breakwater"."upload_usage"."reserved_bytes" >= 0 and "breakwater"."upload_usage"."stored_bytes" >= 0 and "breakwater"."upload_usage"."files" >= 0)
);
--> statement-breakpoint
CREATE TABLE "breakwater"."uploads" (
	"id" uuid PRIMARY KEY NOT NULL,
	"owner_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"state" text NOT NULL,
	"key" text NOT NULL,
	"original_name" text NOT NULL,
	"declared_type" text,
	"type" text,
	"reserved_bytes" bigint NOT NULL,
	"size" bigint,
	"sha256" text,
	"announced_sha256" text,
	"version" text,
	"width" integer,
	"height" integer,
	"reason" text,
	"link_epoch" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"published_at" timestamp with time zone,
	"purged_at" timestamp with time zone,
	CONSTRAINT "uploads_state_known" CHECK ("breakwater"."uploads"."state" in ('reserved', 'receiving', 'quarantined', 'scanned', 'published', 'rejected', 'deleted')),
	CONSTRAINT "uploads_stored_is_measured" CHECK ("breakwater"."uploads"."state" not in ('scanned', 'published') or ("breakwater"."uploads"."size" is not null and "breakwater"."uploads"."sha256" is not null and "breakwater"."uploads"."type" is not null))
);
--> statement-breakpoint
CREATE TABLE "breakwater"."identities" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"issuer" text NOT NULL,
	"subject" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "breakwater"."passkeys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"credential_id" text NOT NULL,
	"public_key" text NOT NULL,
	"counter" bigint DEFAULT 0 NOT NULL,
	"transports" text[] DEFAULT '{}'::text[] NOT NULL,
	"backup_eligible" boolean NOT NULL,
	"backed_up" boolean NOT NULL,
	"aaguid" uuid NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "breakwater"."spent_challenges" (
	"id" uuid PRIMARY KEY NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "breakwater"."api_keys" ADD CONSTRAINT "api_keys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "breakwater"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "breakwater"."recovery_codes" ADD CONSTRAINT "recovery_codes_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "breakwater"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "breakwater"."sessions" ADD CONSTRAINT "sessions_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "breakwater"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "breakwater"."totp_factors" ADD CONSTRAINT "totp_factors_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "breakwater"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "breakwater"."verification_tokens" ADD CONSTRAINT "verification_tokens_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "breakwater"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "breakwater"."upload_transfers" ADD CONSTRAINT "upload_transfers_upload_id_uploads_id_fk" FOREIGN KEY ("upload_id") REFERENCES "breakwater"."uploads"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "breakwater"."identities" ADD CONSTRAINT "identities_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "breakwater"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "breakwater"."passkeys" ADD CONSTRAINT "passkeys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "breakwater"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "api_keys_key_hash_key" ON "breakwater"."api_keys" USING btree ("key_hash");--> statement-breakpoint
CREATE INDEX "api_keys_user_id_idx" ON "breakwater"."api_keys" USING btree ("user_id","created_at");--> statement-breakpoint
CREATE INDEX "api_keys_ended_at_idx" ON "breakwater"."api_keys" USING btree (least("revoked_at", "expires_at"));--> statement-breakpoint
CREATE INDEX "auth_events_user_id_idx" ON "breakwater"."auth_events" USING btree ("user_id","created_at");--> statement-breakpoint
CREATE INDEX "auth_events_created_at_idx" ON "breakwater"."auth_events" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "sessions_user_id_idx" ON "breakwater"."sessions" USING btree ("user_id","last_used_at");--> statement-breakpoint
CREATE INDEX "sessions_expires_at_idx" ON "breakwater"."sessions" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "sessions_last_used_at_idx" ON "breakwater"."sessions" USING btree ("last_used_at");--> statement-breakpoint
CREATE UNIQUE INDEX "users_email_key" ON "breakwater"."users" USING btree (lower("email"));--> statement-breakpoint
CREATE INDEX "users_unverified_idx" ON "breakwater"."users" USING btree ("created_at") WHERE "breakwater"."users"."email_verified_at" is null;--> statement-breakpoint
CREATE INDEX "verification_tokens_user_id_idx" ON "breakwater"."verification_tokens" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "verification_tokens_expires_at_idx" ON "breakwater"."verification_tokens" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "query_history_taken_at_idx" ON "breakwater"."query_history" USING btree ("kind","taken_at");--> statement-breakpoint
CREATE INDEX "job_lanes_touched_idx" ON "breakwater"."job_lanes" USING btree ("touched_at");--> statement-breakpoint
CREATE UNIQUE INDEX "jobs_type_key_unique" ON "breakwater"."jobs" USING btree ("type","key") WHERE "breakwater"."jobs"."key" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "jobs_type_debounce_unique" ON "breakwater"."jobs" USING btree ("type","debounce") WHERE "breakwater"."jobs"."debounce" is not null;--> statement-breakpoint
CREATE INDEX "jobs_unsent_idx" ON "breakwater"."jobs" USING btree ("send_after") WHERE "breakwater"."jobs"."state" = 'pending';--> statement-breakpoint
CREATE INDEX "jobs_leased_idx" ON "breakwater"."jobs" USING btree ("lease_until") WHERE "breakwater"."jobs"."state" = 'running';--> statement-breakpoint
CREATE INDEX "jobs_finished_idx" ON "breakwater"."jobs" USING btree ("finished_at") WHERE "breakwater"."jobs"."state" in ('done', 'cancelled', 'discarded');--> statement-breakpoint
CREATE INDEX "jobs_dead_idx" ON "breakwater"."jobs" USING btree ("finished_at") WHERE "breakwater"."jobs"."state" = 'dead' and "breakwater"."jobs"."finished_at" is not null;--> statement-breakpoint
CREATE INDEX "jobs_aside_idx" ON "breakwater"."jobs" USING btree ("state","id") WHERE "breakwater"."jobs"."state" in ('dead', 'cancelled', 'discarded');--> statement-breakpoint
CREATE INDEX "jobs_batch_idx" ON "breakwater"."jobs" USING btree ("batch_id") WHERE "breakwater"."jobs"."batch_id" is not null;--> statement-breakpoint
CREATE INDEX "upload_transfers_expires_idx" ON "breakwater"."upload_transfers" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "upload_transfers_tail_idx" ON "breakwater"."upload_transfers" USING btree ("tail_key") WHERE "breakwater"."upload_transfers"."tail_key" is not null;--> statement-breakpoint
CREATE INDEX "uploads_owner_idx" ON "breakwater"."uploads" USING btree ("owner_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "uploads_key_idx" ON "breakwater"."uploads" USING btree ("key" collate "C");--> statement-breakpoint
CREATE INDEX "uploads_unfinished_idx" ON "breakwater"."uploads" USING btree ("updated_at") WHERE "breakwater"."uploads"."state" in ('reserved', 'receiving', 'quarantined', 'scanned');--> statement-breakpoint
CREATE INDEX "uploads_unpurged_idx" ON "breakwater"."uploads" USING btree ("updated_at") WHERE "breakwater"."uploads"."state" in ('rejected', 'deleted') and "breakwater"."uploads"."purged_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "identities_issuer_subject_key" ON "breakwater"."identities" USING btree ("issuer","subject");--> statement-breakpoint
CREATE INDEX "identities_user_id_idx" ON "breakwater"."identities" USING btree ("user_id");--> statement-breakpoint
CREATE UNIQUE INDEX "passkeys_credential_id_key" ON "breakwater"."passkeys" USING btree ("credential_id");--> statement-breakpoint
CREATE INDEX "passkeys_user_id_idx" ON "breakwater"."passkeys" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "spent_challenges_expires_at_idx" ON "breakwater"."spent_challenges" USING btree ("expires_at");
--> statement-breakpoint
CREATE FUNCTION "breakwater"."keep_auth_events"() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
	IF TG_OP = 'DELETE' AND OLD.created_at < pg_catalog.now() - interval '90 days' THEN
		RETURN OLD;
	END IF;
	RAISE EXCEPTION 'breakwater.auth_events is only ever added to' USING ERRCODE = 'insufficient_privilege';
END
$$;
--> statement-breakpoint
CREATE TRIGGER "keep_auth_events" BEFORE UPDATE OR DELETE ON "breakwater"."auth_events" FOR EACH ROW EXECUTE FUNCTION "breakwater"."keep_auth_events"();
--> statement-breakpoint
CREATE TRIGGER "keep_all_auth_events" BEFORE TRUNCATE ON "breakwater"."auth_events" FOR EACH STATEMENT EXECUTE FUNCTION "breakwater"."keep_auth_events"();
