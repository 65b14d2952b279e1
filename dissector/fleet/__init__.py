"""Many captures as one dataset (indexed into Parquet files, asked in SQL; the only room with pyarrow and duckdb), and
live ones that nobody looks at: what they tell others, and what they keep."""
