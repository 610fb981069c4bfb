"""From a data file that nobody has described to a definition of it, with every doubtful choice named."""

from noa_mlops.datasets.inference.definition_text import definition_text
from noa_mlops.datasets.inference.examination import Examined, examine
from noa_mlops.datasets.inference.portrait import ColumnPortrait, portraits
from noa_mlops.datasets.inference.remarks import Remark
from noa_mlops.datasets.inference.roles import Roles, roles

__all__ = ["ColumnPortrait", "Examined", "Remark", "Roles", "definition_text", "examine", "portraits", "roles"]
