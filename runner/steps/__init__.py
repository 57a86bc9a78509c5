"""The table of verbs. A new verb is a module here, its line in `VERBS`, and its test."""

from __future__ import annotations

from runner.steps.assert_ import Assert
from runner.steps.assert_bitmap import AssertBitmap
from runner.steps.assert_no_events import AssertNoEvents
from runner.steps.assert_no_jobs import AssertNoJobs
from runner.steps.base import Verb
from runner.steps.call import Call
from runner.steps.check_image import CheckImage
from runner.steps.commit_image import CommitImage
from runner.steps.compare import Compare
from runner.steps.convert_image import ConvertImage
from runner.steps.create_image import CreateImage
from runner.steps.discard import Discard
from runner.steps.eventually import Eventually
from runner.steps.flush import Flush
from runner.steps.for_each import ForEach
from runner.steps.hmp import Hmp
from runner.steps.image_info import ImageInfo
from runner.steps.kill import Kill
from runner.steps.launch import Launch
from runner.steps.map_image import MapImage
from runner.steps.qemu_img import QemuImg
from runner.steps.qemu_io import QemuIo
from runner.steps.qmp import Qmp
from runner.steps.read import Read
from runner.steps.rebase_image import RebaseImage
from runner.steps.resize_image import ResizeImage
from runner.steps.serve_nbd import ServeNbd, StopNbd
from runner.steps.set_ import Set
from runner.steps.shutdown import Shutdown
from runner.steps.wait_event import WaitEvent
from runner.steps.wait_exit import WaitExit
from runner.steps.wait_job import WaitJob
from runner.steps.write import Write

VERBS: dict[str, type[Verb]] = {
    verb.NAME: verb
    for verb in (
        Assert,
        AssertBitmap,
        AssertNoEvents,
        AssertNoJobs,
        Call,
        CheckImage,
        CommitImage,
        Compare,
        ConvertImage,
        CreateImage,
        Discard,
        Eventually,
        Flush,
        ForEach,
        Hmp,
        ImageInfo,
        Kill,
        Launch,
        MapImage,
        QemuImg,
        QemuIo,
        Qmp,
        Read,
        RebaseImage,
        ResizeImage,
        ServeNbd,
        Set,
        Shutdown,
        StopNbd,
        WaitEvent,
        WaitExit,
        WaitJob,
        Write,
    )
}
