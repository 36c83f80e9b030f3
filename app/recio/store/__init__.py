"""PostgreSQL: connections, migrations, roles and every query, each in one place."""
