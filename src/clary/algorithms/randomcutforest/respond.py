"""Answers: the score, and with `verbose` what each feature adds to it."""

from __future__ import annotations

from clary.algorithms.randomcutforest.model import RandomCutForestModel
from clary.codecs.batch import Batch
from clary.codecs.content_type import ContentType
from clary.codecs.responses import encode_answers
from clary.settings import Serving


def respond(
    model: RandomCutForestModel, batch: Batch, content_type: ContentType, serving: Serving
) -> bytes:
    """The answer to the rows of a batch.

    Raises:
        CallerError: the rows do not fit the model.
    """
    outputs = model.answered(batch, verbose=content_type.verbose, update=serving.update)
    return encode_answers(outputs, model.algorithm.inference, content_type)
