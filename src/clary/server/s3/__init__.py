"""The object store: S3's requests answered from a folder of plain files."""
