"""`--print-schema`: print the JSON Schema of scenario files."""

from __future__ import annotations

from run_scenarios.authoring.editor_schema import build_editor_schema, format_schema
from run_scenarios.cli.options import Options
from run_scenarios.collection.options import CollectionOptions
from run_scenarios.core.errors import SetupError
from run_scenarios.qemu.builds import find_builds_under_test
from run_scenarios.qmp.introspection import ProgramSchemas, SavedSchemas, SchemaProvider, load_schemas
from run_scenarios.qmp.schema import QmpSchema
from run_scenarios.report.stream import LineStream


def execute(options: Options, stdout: LineStream, stderr: LineStream) -> int:
    """Print the schema, with the QMP of QEMU if asked."""
    schema = build_editor_schema()
    if options.with_qmp:
        from run_scenarios.authoring.editor_schema_qmp import add_qmp

        schema = add_qmp(schema, _load_qmp_schema(options.collection))
    stdout.write(format_schema(schema))
    return 0


def _load_qmp_schema(options: CollectionOptions) -> QmpSchema:
    """Return the schema of the QEMU under test, or the saved one.

    :raise SetupError: if QEMU cannot be asked, or the file cannot be read.
    """
    schemas: SchemaProvider
    if options.qmp_schema:
        schemas = SavedSchemas(load_schemas(options.qmp_schema))
    else:
        schemas = ProgramSchemas(find_builds_under_test(options.programs)[0].programs, may_ask=True)
    schema = schemas.find("qemu", is_run=False)
    if not isinstance(schema, QmpSchema):
        raise SetupError(schemas.problem)
    return schema
