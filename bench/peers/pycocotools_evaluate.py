"""A subject of a benchmark in pycocotools: COCO's numbers of masks for each line of standard input.

    python bench/peers/pycocotools_evaluate.py FOLDER     (gt.json and results.json of bench/subjects/coco-case.ts)
"""

import contextlib
import io
import json
import resource
import sys
import time
from pathlib import Path

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def main(folder):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / "gt.json"))
        found = truth.loadRes(str(folder / "results.json"))
    print("ready", flush=True)
    for _ in sys.stdin:
        with contextlib.redirect_stdout(io.StringIO()):
            start = time.perf_counter()
            evaluation = COCOeval(truth, found, "segm")
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
            milliseconds = (time.perf_counter() - start) * 1000
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"milliseconds": milliseconds, "peakRss": peak, "ap": evaluation.stats[0]}), flush=True)


main(Path(sys.argv[1]))
