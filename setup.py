"""What pyproject.toml can't say: the extension module, and that a wheel carries the C headers."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HEADERS = ("gl_abi.h", "gl_math.h", "gl_normal.h", "gl_simd.h", "gl_strip.h", "gl_waves.h")


class BuildWithHeaders(build_py):
    """Also puts the headers that generated C is made with into the package, as graphlab/csrc/*.h.

    A checkout and an editable install read them from csrc/ beside the package.
    """

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        folder = Path(self.build_lib, "graphlab", "csrc")
        folder.mkdir(parents=True, exist_ok=True)
        for name in HEADERS:
            self.copy_file(f"csrc/{name}", str(folder / name))


setup(
    cffi_modules=["csrc/build_rt.py:ffi"],
    cmdclass={"build_py": BuildWithHeaders},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
