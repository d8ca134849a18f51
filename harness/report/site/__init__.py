"""Many runs as a static site, and the same served while runs are measured."""

from harness.report.site.building import Built, build

__all__ = ["Built", "build"]
