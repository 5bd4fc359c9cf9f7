import pytest
import torch
from jaxtyping import TypeCheckError

from lavin_dit.flow.loss import flow_matching_loss


def _velocities(*shape, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(shape, generator=generator, dtype=dtype) for _ in range(2))


def test_loss_of_known_errors():
    target = torch.zeros(2, 1, 2)
    predicted = torch.tensor([[[3.0, -1.0]], [[0.0, 0.5]]])
    torch.testing.assert_close(
        flow_matching_loss(predicted, target=target), torch.tensor([5.0, 0.125])
    )
    torch.testing.assert_close(
        flow_matching_loss(predicted, target=target, l1_weight=0.1), torch.tensor([5.2, 0.15])
    )


def test_loss_against_a_float64_oracle():
    predicted, target = _velocities(3, 5, 2, 7)
    error = (predicted.double() - target.double()).flatten(1)
    for weight in (0.0, 0.1):
        oracle = error.square().mean(1) + weight * error.abs().mean(1)
        loss = flow_matching_loss(predicted, target=target, l1_weight=weight)
        torch.testing.assert_close(loss.double(), oracle, rtol=1e-6, atol=0)


def test_a_sample_depends_on_itself_alone():
    predicted, target = _velocities(3, 5, 7)
    together = flow_matching_loss(predicted, target=target, l1_weight=0.1)
    for sample in range(3):
        part = slice(sample, sample + 1)
        alone = flow_matching_loss(predicted[part], target=target[part], l1_weight=0.1)
        torch.testing.assert_close(alone, together[part])
    predicted.requires_grad_()
    flow_matching_loss(predicted, target=target)[1].backward()
    assert [bool(gradient.any()) for gradient in predicted.grad] == [False, True, False]


def test_no_error_no_loss():
    predicted, _ = _velocities(2, 3)
    assert torch.equal(
        flow_matching_loss(predicted, target=predicted, l1_weight=0.1), torch.zeros(2)
    )


def test_loss_of_half_precision_is_float32():
    predicted, target = _velocities(2, 1000)
    predicted, target = predicted.bfloat16(), target.bfloat16()
    loss = flow_matching_loss(predicted, target=target)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, flow_matching_loss(predicted.float(), target=target.float()))


@pytest.mark.parametrize("shape", [(2, 1, 4), (1, 3, 4), (3, 4)])
def test_shapes_that_would_broadcast_are_refused(shape):
    with pytest.raises((ValueError, TypeCheckError), match="target"):
        flow_matching_loss(torch.zeros(2, 3, 4), target=torch.zeros(shape))


@pytest.mark.parametrize("weight", [-0.1, float("nan")])
def test_bad_weight_is_refused(weight):
    with pytest.raises(ValueError, match=f"l1_weight must be at least 0, got {weight}"):
        flow_matching_loss(torch.zeros(2, 3), target=torch.zeros(2, 3), l1_weight=weight)
