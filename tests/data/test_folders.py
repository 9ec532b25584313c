"""Folders of pictures: classes by folder or by list, one size, one number of channels, nothing read before its time."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clearance.data.datasets import load
from clearance.errors import FileError, InputError, ShapeError


def picture(path: Path, level: int = 100, size: tuple[int, int] = (4, 3), mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, level if mode in ("L", "I;16") else (level, 0, 0)).save(path)
    return path


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for level, name in enumerate(("dog/b.png", "cat/2.png", "cat/10.bmp", "dog/deep/a.png")):
        picture(tmp_path / "pets" / name, 10 * level)
    return tmp_path / "pets"


class TestFolders:
    def test_classes_are_the_folders_in_the_order_of_their_names(self, pets: Path):
        found = load(f"folder:{pets}")
        assert (found.class_names, found.labels.tolist(), found.name) == (("cat", "dog"), [0, 0, 1, 1], "pets")
        assert found.images.shape == (4, 3, 3, 4) and found.bounds == (0.0, 1.0)
        assert (found.images[:, 0, 0, 0] * 255).round().tolist() == [20, 10, 0, 30]  # 10.bmp, 2.png, b.png, deep/a.png

    def test_only_what_is_chosen_is_read(self, pets: Path):
        (pets / "dog" / "b.png").write_bytes(b"no picture")
        assert load(f"folder:{pets}", count=2).indices == (0, 1)
        with pytest.raises(FileError, match=r"b\.png: expected a picture, got a file that is damaged"):
            load(f"folder:{pets}", indices=[2])

    def test_other_files_are_left_out_and_counted(self, pets: Path):
        (pets / "dog" / "notes.txt").write_text("x")
        (pets / "dog" / ".hidden.png").write_text("x")
        (pets / ".git").mkdir()
        found = load(f"folder:{pets}")
        assert len(found) == 4 and found.notes == (f"files in {pets} that are no pictures are left out: 1",)

    def test_parts_for_testing_and_training(self, tmp_path: Path):
        for part, count in (("train", 2), ("val", 1)):
            for name in range(count):
                picture(tmp_path / part / "cat" / f"{name}.png")
        assert len(load(f"folder:{tmp_path}")) == 1 and len(load(f"folder:{tmp_path}", train=True)) == 2
        with pytest.raises(InputError, match="expected a sub-folder train with the training part"):
            load(f"folder:{tmp_path / 'val'}", train=True)

    def test_classes_in_the_order_of_the_model(self, pets: Path):
        found = load(f"folder:{pets}", class_names=("dog", "owl", "cat"))
        assert found.labels.tolist() == [2, 2, 0, 0] and found.class_names == ("dog", "owl", "cat")
        with pytest.raises(InputError, match=r"the classes a, b, c \(class-names, or the model's own\), or .*, got 2"):
            load(f"folder:{pets}", class_names=("a", "b", "c"))

    def test_sizes_that_differ(self, pets: Path):
        picture(pets / "cat" / "3.png", size=(5, 3))
        with pytest.raises(ShapeError, match=r"one size, got others: .*10\.bmp has 3x4, .*3\.png has 3x5; give"):
            load(f"folder:{pets}")
        assert load(f"folder:{pets}", resize=3, crop=3).images.shape == (5, 3, 3, 3)

    def test_the_first_picture_says_whether_the_set_is_grey(self, tmp_path: Path):
        picture(tmp_path / "a" / "1.png", 50, mode="L")
        picture(tmp_path / "a" / "2.png", 70, mode="L")
        assert load(f"folder:{tmp_path}", indices=[1]).images.shape == (1, 1, 3, 4)
        picture(tmp_path / "b" / "1.png", 60)
        with pytest.raises(ShapeError, match=r"b/1\.png: expected a grey picture as .*a/1\.png, .* got one in colours"):
            load(f"folder:{tmp_path}")
        assert load(f"folder:{tmp_path}", channels=3).images.shape == (3, 3, 3, 4)
        assert load(f"folder:{tmp_path}", channels=1).images.shape == (3, 1, 3, 4)
        picture(tmp_path / "a" / "0.png", 40)
        found = load(f"folder:{tmp_path}")
        assert (found.images[1, :, 0, 0] * 255).round().tolist() == [50, 50, 50]

    def test_colours_become_grey_as_pillow_has_it(self, tmp_path: Path):
        (tmp_path / "a").mkdir()
        levels = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
        Image.fromarray(levels).save(tmp_path / "a" / "0.png")
        grey = np.asarray(Image.fromarray(levels).convert("L"))
        assert (load(f"folder:{tmp_path}", channels=1).images[0, 0] * 255).round().tolist() == grey.tolist()
        with pytest.raises(InputError, match="channels: expected 1 or 3, got 2"):
            load(f"folder:{tmp_path}", channels=2)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda top: None, "found no picture in it that has a class"),
            (lambda top: picture(top / "a.png"), "found no picture in it that has a class"),
            (lambda top: (top / "cat").mkdir(), "found no picture in any of 1 sub-folders"),
            (
                lambda top: picture(top / "train" / "a" / "1.png"),
                "expected a sub-folder test or validation or val, got",
            ),
        ],
    )
    def test_no_pictures(self, tmp_path: Path, make, message: str):
        make(tmp_path)
        with pytest.raises(FileError, match=message):
            load(f"folder:{tmp_path}")
        with pytest.raises(FileError, match="expected a folder of pictures, got no such folder"):
            load(f"folder:{tmp_path / 'gone'}")


class TestLists:
    def write(self, folder: Path, text: str, classes: str = "") -> str:
        for name in ("a.png", "b.png"):
            picture(folder / name)
        (folder / "labels.csv").write_text(text)
        if classes:
            (folder / "my_classes.csv").write_text(classes)
        return f"folder:{folder}"

    def test_indices_with_the_names_of_all_classes_beside_them(self, tmp_path: Path):
        found = load(self.write(tmp_path, "file,label\nb.png,2\na.png,0\n", "label,name\n1,owl\n0,cat\n2,dog\n"))
        assert found.labels.tolist() == [2, 0] and found.class_names == ("cat", "owl", "dog")

    def test_names_in_the_list_itself(self, tmp_path: Path):
        found = load(self.write(tmp_path, "file,label,name\nb.png,1,dog\na.png,0,cat\n"))
        assert found.class_names == ("cat", "dog")
        assert load(self.write(tmp_path, "file,label,name\nb.png,3,dog\na.png,0,cat\n")).class_names == ()

    def test_labels_that_are_names(self, tmp_path: Path):
        found = load(self.write(tmp_path, "file,label\nb.png,dog\na.png,cat\n"))
        assert found.labels.tolist() == [1, 0] and found.class_names == ("cat", "dog")

    @pytest.mark.parametrize(
        ("text", "classes", "error", "message"),
        [
            ("name,label\na.png,1\n", "", InputError, "expected a column 'file', got name, label"),
            ("file,label\n../a.png,1\n", "", FileError, "line 2: expected the path of a picture inside the folder"),
            ("file,label\n/etc/a.png,1\n", "", FileError, "got '/etc/a.png'"),
            ("file,label\na.png,2\n", "label,name\n0,cat\n1,dog\n", InputError, "labels 0 to 1, .* got 2 for image 0"),
            ("file,label\na.png,0\n", "label,name\n0,cat\n2,dog\n", FileError, "a name for each class from 0 on"),
            ("file,label\ngone.png,0\n", "", FileError, r"gone\.png: no such file"),
            ("file,label\na.png,-1\n", "", InputError, "line 2: expected class indices >= 0"),
        ],
    )
    def test_misuse_is_one_clear_line(self, tmp_path: Path, text: str, classes: str, error: type, message: str):
        with pytest.raises(error, match=message):
            load(self.write(tmp_path, text, classes))

    def test_the_imagenet_sample(self, clearance_data: Path):
        folder = clearance_data / "imagenet-sample"
        if not folder.is_dir():
            pytest.skip(f"no ImageNet sample at {clearance_data}")
        found = load(f"folder:{folder}", indices=[1, 100], resize=256, crop=224)
        assert found.total == 120 and len(found.class_names) == 1000 and found.class_names[0] == "tench"
        assert found.labels[0].item() == 576 and found.class_names[576] == "gondola"
        image = Image.open(folder / "nips17/001b5e6f1b89fd3b.png").convert("RGB").resize((256, 256), Image.BILINEAR)
        expected = np.asarray(image.crop((16, 16, 240, 240))).transpose(2, 0, 1)
        np.testing.assert_array_equal((found.images[0] * 255).round(), expected)


class TestOnePicture:
    def test_a_set_of_one(self, tmp_path: Path):
        path = picture(tmp_path / "cat.png")
        found = load(path, label="7")
        assert (len(found), found.labels.tolist(), found.name, found.total) == (1, [7], "cat", 1)
        assert load(path, label="dog", class_names=("cat", "dog")).labels.tolist() == [1]

    @pytest.mark.parametrize(
        ("label", "names", "message"),
        [
            (None, (), r"expected the class of .*cat\.png, by name or index \(--label\), got none"),
            ("dog", (), "expected a class index, got 'dog'"),
            ("2", ("cat", "dog"), "an index from 0 to 1 or a class name of the model, got '2'"),
        ],
    )
    def test_no_class(self, tmp_path: Path, label: str | None, names: tuple[str, ...], message: str):
        with pytest.raises(InputError, match=message):
            load(picture(tmp_path / "cat.png"), label=label, class_names=names)
