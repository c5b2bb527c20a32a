"""Teaching the classifier 标注与训练: samples to label, agreement of two annotators, a model of one's own, the choice.

Pure parts: `sampling`, `agreement`, `learn`. `desk` keeps samples and labels in the operational database and publishes
models and the choice between model and lexicon as stored results, which the atlas reads.
"""

from jiqun.classify.agreement import Agreement, agreement
from jiqun.classify.learn import Quality, evaluate, train
from jiqun.classify.sampling import draw

__all__ = ["Agreement", "Quality", "agreement", "draw", "evaluate", "train"]
