"""What no line of the code may do: run a shell, splice values into SQL, load what can hold code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("ml", "local", "dags", "dashboard")
SQL_CALLS = {"execute", "executemany", "copy_expert", "execute_values", "read_sql", "read_sql_query", "text", "raw_sql"}
SPLICED_BY_CONTRACT = {
    # Names of tables and columns, which come from the code's own contracts and never from a delivery; a cursor of
    # ADBC and `copy` take text only.
    "ml/landing.py",
    "ml/warehouse.py",
}
FORBIDDEN = {
    "os.system": "runs a shell",
    "os.popen": "runs a shell",
    "subprocess.getoutput": "runs a shell",
    "subprocess.getstatusoutput": "runs a shell",
    "eval": "runs text",
    "exec": "runs text",
    "pickle.load": "loads code",
    "pickle.loads": "loads code",
    "joblib.load": "loads code",
    "dill.load": "loads code",
    "cloudpickle.load": "loads code",
    "torch.load": "loads code",
    "mlflow.pyfunc.load_model": "loads code",
    "yaml.load": "loads code",
    "yaml.unsafe_load": "loads code",
    "np.load": "loads code where it is allowed to",
}


def complaints(source: str) -> Iterator[str]:
    """Yield "line: what is wrong" for Python source."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        if name in FORBIDDEN and not (name == "np.load" and "allow_pickle" not in ast.unparse(node)):
            yield f"{node.lineno}: {name} {FORBIDDEN[name]}"
        if any(word.arg == "shell" and ast.unparse(word.value) != "False" for word in node.keywords):
            yield f"{node.lineno}: {name} runs a shell"
        if name.rsplit(".", 1)[-1] in SQL_CALLS and any(map(_is_spliced, node.args[:2])):
            yield f"{node.lineno}: {name} splices values into SQL"


def _is_spliced(text: ast.expr) -> bool:
    if isinstance(text, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in text.values)
    if isinstance(text, ast.BinOp) and isinstance(text.op, ast.Add | ast.Mod):
        return not (_is_constant(text.left) and _is_constant(text.right))
    # sql.SQL("...").format(...) quotes what it is given; "...".format(...) does not.
    return (
        isinstance(text, ast.Call)
        and isinstance(text.func, ast.Attribute)
        and text.func.attr == "format"
        and _is_constant(text.func.value)
    )


def _is_constant(text: ast.expr) -> bool:
    return isinstance(text, ast.Constant) or (isinstance(text, ast.BinOp) and _is_constant(text.left))


def files() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def test_no_file_runs_a_shell_splices_sql_or_loads_code() -> None:
    found = {
        str(path.relative_to(ROOT)): [
            one
            for one in complaints(path.read_text("utf-8"))
            if not (one.endswith("into SQL") and str(path.relative_to(ROOT)) in SPLICED_BY_CONTRACT)
        ]
        for path in files()
    }
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("subprocess.run(f'dbt {x}', shell=True)", "runs a shell"),
        ("os.system('ls')", "runs a shell"),
        ("cursor.execute(f'select * from t where id = {x}')", "splices"),
        ("cursor.execute('select * from t where id = %s' % x)", "splices"),
        ("cursor.execute('select * from t where id = ' + x)", "splices"),
        ("connection.execute(text('select {}'.format(x)))", "splices"),
        ("pd.read_sql(f'select {x}', connection)", "splices"),
        ("pickle.loads(b)", "loads code"),
        ("torch.load(p, weights_only=False)", "loads code"),
        ("np.load(p, allow_pickle=True)", "loads code"),
        ("eval(x)", "runs text"),
    ],
)
def test_a_line_that_does_is_found(source: str, wrong: str) -> None:
    assert [one for one in complaints(source) if wrong in one], source


@pytest.mark.parametrize(
    "source",
    [
        "subprocess.run(['dbt', x], shell=False)",
        "cursor.execute('select * from t where id = %s', (x,))",
        "cursor.execute(sql.SQL('select {}').format(sql.Identifier(x)))",
        "cursor.execute('select 1' + ' from t')",
        "np.load(p)",
        "f'{x}'",
    ],
)
def test_a_line_that_does_not_is_left_alone(source: str) -> None:
    assert list(complaints(source)) == []


def test_dags_hold_no_operator_with_a_shell_or_sql() -> None:
    for path in (ROOT / "dags").rglob("*.py"):
        text = path.read_text("utf-8")
        for word in ("BashOperator", "bash_command", "SQLExecuteQueryOperator", "PostgresOperator", "@task.bash"):
            assert word not in text, f"{path}: {word}"
