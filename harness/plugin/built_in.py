"""The built-in plugins: the core names them here and nowhere else."""

from __future__ import annotations

PACKAGE = "harness_plugins"
# In the order in which they claim names. Written as a stranger would write them; each offers what its hooks return.
BUILT_IN = (
    "harness_plugins.lda",
    "harness_plugins.lda_attention",
    "harness_plugins.lda_blocked",
    "harness_plugins.lda_nearest",
    "harness_plugins.transformer",
    "harness_plugins.students",
    "harness_plugins.residual",
    "harness_plugins.routed",
    "harness_plugins.distillation",
    "harness_plugins.recipe",
    "harness_plugins.python",
    "harness_plugins.eager",
    "harness_plugins.torchscript",
    "harness_plugins.onnxruntime",
    "harness_plugins.reduced_precision",
    "harness_plugins.inductor",
    "harness_plugins.openvino",
    "harness_plugins.sources",
    "harness_plugins.resampled",
    "harness_plugins.embedders",
    "harness_plugins.mlflow",
    "harness_plugins.this_machine",
    "harness_plugins.dask",
    "harness_plugins.slurm",
)
COMMANDS = {
    "distill": "harness_plugins.distill_command:distill",
    "heads": "harness_plugins.heads_command:heads",
}
DATA_SUITE = "harness_plugins.data_suite:plan"  # of `harness advise --data`
STUDENT_EXPORT = "harness_plugins.saved_students"  # writes the ONNX form of a saved student, with `python -m`
FLEET_EXECUTOR = "dask"  # of `harness fleet up` and `worker`, where none is named
FAMILIES = {  # of runs that were recorded before projectors declared theirs: (name, origin) -> family
    ("lda-loop", "built-in harness_plugins.lda"): "lda",
    ("lda-blocked", "built-in harness_plugins.lda_blocked"): "lda",
}
