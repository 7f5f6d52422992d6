"""The database: transactions, engines, tables, migrations."""
