"""All that a database's catalog says of the product's schema, and its data, in a form that can be compared."""

from collections import Counter

import asyncpg

Facts = dict[str, list[tuple[object, ...]]]
"""What was found, by kind; each fact begins with the names of what it is about."""

_OF_PUBLIC = "n.nspname = 'public'"
QUESTIONS = {
    "relations": f"""
        SELECT c.relname, c.relkind::text, c.relowner::regrole::text, c.relacl::text, c.reloptions::text,
               c.relrowsecurity, c.relforcerowsecurity, c.relpersistence::text, c.relreplident::text
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OF_PUBLIC}""",
    "columns": f"""
        SELECT c.relname, a.attname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum),
               format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text, a.attgenerated::text,
               pg_get_expr(d.adbin, d.adrelid), a.attacl::text, a.attcollation::regcollation::text, a.attstorage::text,
               a.attoptions::text
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
          LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE {_OF_PUBLIC} AND c.relkind IN ('r', 'v', 'm', 'p') AND a.attnum > 0 AND NOT a.attisdropped""",
    "constraints": f"""
        SELECT c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid), c.convalidated
          FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE {_OF_PUBLIC}""",
    "indexes": """
        SELECT x.tablename, x.indexname, x.indexdef, i.indisvalid, i.indisready
          FROM pg_indexes x JOIN pg_index i ON i.indexrelid = x.indexname::regclass WHERE x.schemaname = 'public'""",
    "functions": f"""
        SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid), p.proowner::regrole::text, p.proacl::text
          FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {_OF_PUBLIC} AND p.prokind <> 'a'""",
    "triggers": f"""
        SELECT t.tgrelid::regclass::text, t.tgname, pg_get_triggerdef(t.oid), t.tgenabled::text
          FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE {_OF_PUBLIC} AND NOT t.tgisinternal""",
    "policies": """
        SELECT tablename, policyname, permissive, roles::text, cmd, qual, with_check
          FROM pg_policies WHERE schemaname = 'public'""",
    "sequences": """
        SELECT sequencename, sequenceowner, data_type::text, increment_by, cache_size, cycle, min_value, max_value
          FROM pg_sequences WHERE schemaname = 'public'""",
    "types": f"""
        SELECT t.typname, t.typtype::text, t.typowner::regrole::text, t.typacl::text
          FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE {_OF_PUBLIC}""",
    "comments": """
        SELECT o.type, o.identity, d.objsubid, d.description
          FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) o WHERE o.schema = 'public'""",
    "extended statistics": f"""
        SELECT s.stxname, pg_get_statisticsobjdef(s.oid), s.stxowner::regrole::text
          FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE {_OF_PUBLIC}""",
    "schemas": """
        SELECT nspname, nspowner::regrole::text, nspacl::text FROM pg_namespace
         WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'""",
    "default grants": """
        SELECT defaclrole::regrole::text, defaclnamespace::text, defaclobjtype::text, defaclacl::text
          FROM pg_default_acl""",
    "extensions": "SELECT extname, extversion FROM pg_extension",
    "roles": """
        SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolbypassrls, rolconnlimit,
               rolconfig::text FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'""",
    "memberships": """
        SELECT roleid::regrole::text, member::regrole::text, admin_option FROM pg_auth_members
         WHERE roleid::regrole::text NOT LIKE 'pg\\_%'""",
}
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


async def schema(connection: asyncpg.Connection) -> Facts:
    """All but the data. Two databases of one server that have the same schema are equal."""
    return {kind: await _facts(connection, question) for kind, question in QUESTIONS.items()}


async def data(connection: asyncpg.Connection) -> Facts:
    """Every row of every table, and where each sequence stands. Needs a superuser, whom no policy holds."""
    tables = sorted(row["tablename"] for row in await connection.fetch(_TABLES))
    rows = {table: await _facts(connection, f'SELECT t::text FROM "{table}" t') for table in tables}
    return rows | {"sequences": await _facts(connection, "SELECT sequencename, last_value FROM pg_sequences")}


async def _facts(connection: asyncpg.Connection, question: str) -> list[tuple[object, ...]]:
    return sorted((tuple(row) for row in await connection.fetch(question)), key=repr)


def difference(before: Facts, after: Facts) -> list[str]:
    """What is in one and not in the other, a line each; empty where they are equal."""
    return [line for kind in sorted({*before, *after}) for line in _of_kind(kind, before, after)]


def _of_kind(kind: str, before: Facts, after: Facts) -> list[str]:
    was, became = Counter(before.get(kind, [])), Counter(after.get(kind, []))
    gone = [f"{kind} - {fact}" for fact in (was - became).elements()]
    return gone + [f"{kind} + {fact}" for fact in (became - was).elements()]
