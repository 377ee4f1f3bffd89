"""What the processes of the stages have in common; nothing is computed here, since threads do not survive a fork."""

import ml.stages.audit_bundles
import ml.stages.build_features
import ml.stages.list_bundles
import ml.stages.load_raw
import ml.stages.measure_drift
import ml.stages.optimise_bundles
import ml.stages.propose_candidates
import ml.stages.publish_bundles
import ml.stages.rollback_bundles
import ml.stages.train_association
import ml.stages.train_preference  # noqa: F401
