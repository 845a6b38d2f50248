-- What Drizzle has no words for. `drizzle-kit generate` puts it at the end of the migration it makes; see drizzle.config.ts.
-- The audit record is only ever added to (ASVS 16.4.2). Rows older than 90 days may be pruned, nothing else goes and
-- nothing changes, whoever asks with the application's own connection.
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
