import torch, harness


class RandomProjection(harness.Projector):
    "A random linear map."

    name = "random"

    def build(self, heads, context):
        return torch.nn.Linear(heads.width, heads.output_width, bias=False)


@harness.hookimpl
def harness_projectors():
    return [RandomProjection()]
