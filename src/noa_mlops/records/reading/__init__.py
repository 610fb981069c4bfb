"""Documents that people write, read strictly: YAML 1.2 and JSON become records, every mistake shown at its place.

`read_document` is the way in. A record says what its fields may hold with the rules of `fields`; the rest is how
text becomes nodes with places, and nodes become values.
"""

from noa_mlops.records.reading.document import read_document, read_file
from noa_mlops.records.reading.quantities import read_duration, read_size
from noa_mlops.records.reading.source import MAX_BYTES

__all__ = ["MAX_BYTES", "read_document", "read_duration", "read_file", "read_size"]
