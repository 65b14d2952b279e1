"""Many captures as one dataset: indexed into Parquet files, asked in SQL; the only room with pyarrow and duckdb."""
