"""What pyproject.toml can't say: the extension module, and that a wheel carries the C."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SOURCES = (*sorted(Path("csrc").glob("gl_*.[ch]")), *sorted(Path("csrc/export").iterdir()))


class BuildWithC(build_py):
    """Also puts the C that programs and exported folders are made with into the package, as graphlab/csrc.

    A checkout and an editable install read them from csrc/ beside the package.
    """

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for path in SOURCES:
            target = Path(self.build_lib, "graphlab", path)
            target.parent.mkdir(parents=True, exist_ok=True)
            self.copy_file(str(path), str(target))


setup(
    cffi_modules=["csrc/build_rt.py:ffi"],
    cmdclass={"build_py": BuildWithC},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
