"""What a model takes and what the data are: features in their order, classes by their names, numbers of both."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import clearance as cl
from clearance.errors import InputError
from command_line import Ended, run_command

pd = pytest.importorskip("pandas")
skops = pytest.importorskip("skops.io")

ROWS = "age,income,owner,outcome\n30,1.5,yes,repaid\n50,2.5,no,default\n70,9.25,no,repaid\n40,1.0,yes,default\n"


@pytest.fixture(params=["alone", "pipeline"])
def credit(here: Path, request: pytest.FixtureRequest) -> Path:
    """A classifier that knows the names of its features and classes, and its table."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    Path("credit.csv").write_text(ROWS)
    table = pd.read_csv("credit.csv").replace({"yes": 1, "no": 0})
    model = LogisticRegression()
    model = model if request.param == "alone" else make_pipeline(StandardScaler(), model)
    skops.dump(model.fit(table.drop(columns="outcome").astype(float), table.outcome), "credit.skops")
    return here


def written(name: str, order: str, text: str = ROWS) -> str:
    """The table with its columns in another order."""
    lines = [line.split(",") for line in text.splitlines()]
    places = [lines[0].index(column) for column in order.split(",")]
    Path(name).write_text("".join(",".join(line[place] for place in places) + "\n" for line in lines))
    return name


def attacked(*arguments: str) -> Ended:
    return run_command("attack", *arguments, "--count", "1", "--budget", "20")


USUAL = "label, class, target, y"
LABEL = f"the label is the column 'outcome', the last, as none is called {USUAL} (--label NAME names another)"


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (
            "income,age,owner,outcome",
            "the features of credit.skops in its order, got 'income' at place 1, where it has 'age'",
        ),
        (
            "age,income,outcome",
            "3 features, which credit.skops takes, got 2: nothing at place 3, where it has 'owner'; {LABEL}",
        ),
    ],
)
def test_features_that_the_model_knows_by_name(credit: Path, order: str, said: str):
    ended = attacked("credit.skops", written("other.csv", order))
    assert ended.returncode == 2
    assert ended.stderr == f"clearance: other.csv: expected {said.replace('{LABEL}', LABEL)}\n"
    with pytest.raises(InputError, match=r"expected (the features of credit|3 features)"):
        cl.load_data("other.csv", model=cl.load_model("credit.skops"))
    with pytest.raises(InputError, match=r"expected (the features of credit|3 features)"):
        cl.load_model("credit.skops", data="other.csv")


@pytest.mark.filterwarnings("error")
def test_features_in_the_order_of_the_model(credit: Path):
    ended = attacked("credit.skops", "credit.csv")
    assert ended.returncode == 0 and "feature names" not in ended.stderr


def test_how_many_features_a_model_takes(here: Path):
    Path("net.py").write_text("from torch import nn\ndef make():\n    return nn.Linear(3, 2)\n")
    Path("scaled.py").write_text(
        "import torch\nfrom torch import nn\nclass Less(nn.Module):\n    def forward(self, x):\n        "
        "return x - torch.ones(3)\ndef make():\n    return nn.Sequential(Less(), nn.Linear(3, 2))\n"
    )
    Path("two.csv").write_text("a,b,label\n1,2.5,0\n2,3.5,1\n")
    ended = attacked("net.py:make", "two.csv")
    assert ended.returncode == 2 and "expected inputs of 3 values, as it takes, got 2, of shape (2,)" in ended.stderr
    ended = attacked("scaled.py:make", "two.csv")
    assert ended.returncode == 2
    assert "(its first linear layer takes 3 features, these inputs have 2)" in ended.stderr


def test_class_names_in_place_of_the_model_s(credit: Path):
    ended = attacked("credit.skops", "credit.csv", "--class-names", "repaid,default")
    assert "class-names: repaid, default, in place of those that credit.skops has: default, repaid" in ended.stderr
    assert "in place of" not in attacked("credit.skops", "credit.csv", "--class-names", "default,repaid").stderr


@pytest.mark.parametrize(
    "command", [("attack", "--budget", "20"), ("inspect",), ("bracket", "--budget", "1500", "--out", "run")]
)
def test_another_number_of_classes_than_of_outputs(here: Path, command: tuple[str, ...]):
    Path("net.py").write_text(
        "from torch import nn\ndef make():\n    return nn.Sequential(nn.Flatten(), nn.Linear(12, 4))\n"
    )
    for name in ("b", "c", "d"):
        Path("pics", name).mkdir(parents=True)
        Image.new("L", (4, 3), 100).save(f"pics/{name}/1.png")
    first, *options = command
    ended = run_command(first, "net.py:make", "folder:pics", "--count", "1", *options)
    said = "pics has 3 classes, the model 4 outputs: output 0 is taken as 'b', ..., output 2 as 'd'"
    assert ended.returncode == 0 and said in ended.stderr


def test_values_that_a_factory_drew_are_said(here: Path):
    Path("net.py").write_text(
        "import torch\nfrom torch import nn\ndef make():\n    return nn.Linear(2, 2)\n"
        "def filled():\n    layer = nn.Linear(2, 2)\n    layer.load_state_dict(torch.load('w.pth'))\n    return layer\n"
    )
    torch.save(nn.Linear(2, 2).state_dict(), "w.pth")
    np.savez("x.npz", images=np.ones((1, 2), np.float32), labels=[0])
    assert "net.py:make makes other values each time it is called" in attacked("net.py:make", "x.npz").stderr
    inspected = " ".join(run_command("inspect", "net.py:make", "x.npz").stdout.split())
    assert "other values each time it is called" in inspected
    assert "random" not in attacked("net.py:make", "x.npz", "--weights", "w.pth").stderr
    assert "random" not in attacked("net.py:filled", "x.npz").stderr


@pytest.mark.parametrize("kind", [int, float])
def test_labels_that_a_model_of_scikit_learn_was_fitted_with(here: Path, kind: type):
    from sklearn.linear_model import LogisticRegression

    Path("t.csv").write_text("a,b,y\n1,2.5,1\n2,0.5,2\n3,3.5,1\n4,1.5,2\n")
    x = np.array([[1, 2.5], [2, 0.5], [3, 3.5], [4, 1.5]])
    skops.dump(LogisticRegression().fit(x, np.array([1, 2, 1, 2], dtype=kind)), "m.skops")
    model = cl.load_model("m.skops", data="t.csv")
    data = cl.load_data("t.csv", model=model)
    assert data.class_names == ("1", "2") and data.labels.tolist() == [0, 1, 0, 1]
    assert model.logits(model.check_inputs(data.images)).argmax(1).tolist() == data.labels.tolist()
