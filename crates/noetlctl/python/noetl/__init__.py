"""The launcher package: starts the `noetl` binary that lies beside it. It contains no NoETL of its own."""
