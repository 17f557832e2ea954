-- Makes the schema, if it is not there: all of it or nothing, by whoever comes first.
-- What is there already is left as it is. Whether it is ours, the marker tells afterwards.
begin isolation level read committed read write;
select pg_advisory_xact_lock(7813573191660495203); -- "lockspac"
do $install$
begin
    if to_regclass('lockspace.marker') is not null then
        return;
    end if;
    -- An administrator may have made the schema for us, empty.
    if to_regnamespace('lockspace') is null then
        create schema lockspace;
    elsif exists (select from pg_class where relnamespace = to_regnamespace('lockspace'))
        or exists (select from pg_proc where pronamespace = to_regnamespace('lockspace'))
    then
        raise exception using errcode = 'LS001', message = 'the schema lockspace belongs to something else';
    end if;

    create table lockspace.marker (marker text not null);
    insert into lockspace.marker values ('lockspace-postgres/1');

    -- The last version of each namespace. Each swap updates it, so there is room for that in its page.
    create table lockspace.namespaces (
        name text collate "C" primary key,
        last bigint not null
    ) with (fillfactor = 10);

    -- Keys may hold characters that a database's encoding does not have, so they are bytes.
    create table lockspace.rows (
        namespace text collate "C",
        key bytea,
        version bigint not null,
        bytes bytea not null,
        primary key (namespace, key)
    );

    -- Makes the row of a key `becomes` (null: removes it) if its version is `expected` (null: if there is
    -- none). Gives the new version, or null if the row is not as expected.
    create function lockspace.swap_1(
        of_namespace text, of_key bytea, expected bigint, becomes bytea, channel text
    ) returns bigint language plpgsql volatile as $swap$
    declare
        drawn bigint;
    begin
        -- Whoever is too late need not stand in line to hear so.
        if (select version from lockspace.rows where namespace = of_namespace and key = of_key)
            is distinct from expected
        then
            return null;
        end if;

        -- Held until the commit: from here on nobody else swaps in this namespace. Never backwards: not
        -- where the data are older than they were, nor where the clock is.
        insert into lockspace.namespaces as namespaces
            values (of_namespace, (extract(epoch from clock_timestamp()) * 1000000)::bigint)
            on conflict (name) do update set last = greatest(namespaces.last + 1, excluded.last)
            returning namespaces.last into drawn;

        -- Each statement sees what was committed before it, so this is about the row as it is now.
        if becomes is null then
            delete from lockspace.rows
                where namespace = of_namespace and key = of_key and version = expected;
        elsif expected is null then
            insert into lockspace.rows values (of_namespace, of_key, drawn, becomes)
                on conflict do nothing;
        else
            update lockspace.rows set version = drawn, bytes = becomes
                where namespace = of_namespace and key = of_key and version = expected;
        end if;
        if not found then
            return null;
        end if;
        if channel is not null then
            perform pg_notify(channel, encode(of_key, 'hex'));
        end if;
        return drawn;
    end
    $swap$;
end
$install$;
commit;
