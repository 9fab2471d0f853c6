"""What training makes small: a loss for the class, one for the box, one for how well the box is judged."""

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional
from torchvision.ops import generalized_box_iou_loss

from localizer import edges
from localizer.boxes import iou
from localizer.head import Output, positions
from localizer.objects import Objects
from localizer.settings import Settings

_SMOOTHING = 0.1  # of the labels: share of the probability that is spread over all classes
_PRESENCE = 0.3  # beside the main object's class


def total_loss(output: Output, objects: Objects, settings: Settings) -> Tensor:
    """All losses, weighted; of pictures without objects only the presence counts."""
    class_ids, boxes, usable = objects.main()
    classes = _mean(class_losses(output, class_ids), usable) + _PRESENCE * presence_loss(output, objects)
    places = _mean(BOX_LOSSES[settings.box_loss](output, boxes), usable)
    judged = _mean(iou_losses(output, boxes), usable)
    return settings.class_weight * classes + settings.box_weight * places + judged


def class_losses(output: Output, class_ids: Tensor) -> Tensor:
    """Categorical cross-entropy with smoothed labels, (N,)."""
    return functional.cross_entropy(
        output.class_logits.float(), class_ids, label_smoothing=_SMOOTHING, reduction="none"
    )


def presence_loss(output: Output, objects: Objects) -> Tensor:
    """Binary cross-entropy of each class, summed over the classes, averaged over the pictures."""
    logits = output.presence_logits.float()
    present = objects.present(logits.shape[1])
    return functional.binary_cross_entropy_with_logits(logits, present, reduction="none").sum(-1).mean()


def iou_losses(output: Output, boxes: Tensor) -> Tensor:
    """Cross-entropy between the IoU that was predicted and the one that came about, (N,)."""
    actual = iou(output.boxes.detach(), boxes)
    return functional.binary_cross_entropy_with_logits(output.iou_logits.float(), actual, reduction="none")


def squared(output: Output, boxes: Tensor) -> Tensor:
    """Mean squared error of the edges, (N,), in units of the square of a fifth of the picture.

    Errors of unit boxes are small; unscaled they would hardly count beside cross-entropy.
    """
    return ((output.boxes - boxes) / 0.2).square().mean(-1)


def absolute(output: Output, boxes: Tensor) -> Tensor:
    """Mean absolute error of the edges, (N,)."""
    return (output.boxes - boxes).abs().mean(-1)


def overlap(output: Output, boxes: Tensor) -> Tensor:
    """Generalised IoU (Rezatofighi et al., CVPR 2019), steadied by distances and distributions of edges, (N,)."""
    area: Tensor = generalized_box_iou_loss(output.boxes, boxes)
    losses = 2 * area + 2 * absolute(output, boxes)
    if output.edge_logits is None:
        return losses
    return losses + 0.5 * edges.cross_entropy(output.edge_logits, positions(), boxes).mean(-1)


BOX_LOSSES: Mapping[str, Callable[[Output, Tensor], Tensor]] = {
    "mse": squared,
    "l1": absolute,
    "giou": overlap,
}
"""Name -> function of output and unit boxes (N, 4) to losses (N,)."""


def _mean(losses: Tensor, usable: Tensor) -> Tensor:
    """Mean over the usable ones; 0 where there is none."""
    return (losses * usable).sum() / usable.sum().clamp(min=1)
