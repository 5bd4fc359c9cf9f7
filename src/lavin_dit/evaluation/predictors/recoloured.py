"""The same questions in other colours: does a model look at how its examples are painted?"""

from collections.abc import Sequence
from dataclasses import replace

from lavin_dit.data.recolouring import Recolouring
from lavin_dit.evaluation.question import Clip, Predictor, Question


class RecolouredPredictor:
    """Shows the targets of all examples in other colours, and takes these back from the answers.

    Answers can be scored like those to the questions as they are: who paints in the colours of the
    examples loses little, and who knows how a task is always painted loses all.
    """

    def __init__(self, predictor: Predictor, recolouring: Recolouring) -> None:
        """Take over a predictor.

        Args:
            predictor: What is asked.
            recolouring: The colours that it sees.
        """
        self._predictor = predictor
        self._recolouring = recolouring

    @property
    def name(self) -> str:
        """The predictor's own."""
        return self._predictor.name

    def predict(self, questions: Sequence[Question]) -> list[Clip]:
        """Paint the target of each question; see `Predictor`."""
        asked = [
            replace(question, targets=tuple(map(self._recolouring, question.targets)))
            for question in questions
        ]
        return [self._recolouring.undone(answer) for answer in self._predictor.predict(asked)]
