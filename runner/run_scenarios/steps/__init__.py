"""The table of verbs. A new verb is a module here, its line in `VERBS`, and its test."""

from __future__ import annotations

from run_scenarios.steps.assert_ import Assert
from run_scenarios.steps.assert_bitmap import AssertBitmap
from run_scenarios.steps.assert_content import AssertContent
from run_scenarios.steps.assert_no_events import AssertNoEvents
from run_scenarios.steps.assert_no_jobs import AssertNoJobs
from run_scenarios.steps.call import Call
from run_scenarios.steps.check_image import CheckImage
from run_scenarios.steps.commit_image import CommitImage
from run_scenarios.steps.compare import Compare
from run_scenarios.steps.convert_image import ConvertImage
from run_scenarios.steps.create_image import CreateImage
from run_scenarios.steps.discard import Discard
from run_scenarios.steps.eventually import Eventually
from run_scenarios.steps.flush import Flush
from run_scenarios.steps.for_each import ForEach
from run_scenarios.steps.forget_events import ForgetEvents
from run_scenarios.steps.hmp import Hmp
from run_scenarios.steps.image_info import ImageInfo
from run_scenarios.steps.kill import Kill
from run_scenarios.steps.launch import Launch
from run_scenarios.steps.map_image import MapImage
from run_scenarios.steps.qemu_img import QemuImg
from run_scenarios.steps.qemu_io import QemuIo
from run_scenarios.steps.qmp import Qmp
from run_scenarios.steps.read import Read
from run_scenarios.steps.rebase_image import RebaseImage
from run_scenarios.steps.remember import Remember
from run_scenarios.steps.resize_image import ResizeImage
from run_scenarios.steps.serve_nbd import ServeNbd, StopNbd
from run_scenarios.steps.set_ import Set
from run_scenarios.steps.shutdown import Shutdown
from run_scenarios.steps.verb import Verb
from run_scenarios.steps.wait_event import WaitEvent
from run_scenarios.steps.wait_exit import WaitExit
from run_scenarios.steps.wait_job import WaitJob
from run_scenarios.steps.write import Write

VERBS: dict[str, type[Verb]] = {
    verb.NAME: verb
    for verb in (
        Assert,
        AssertBitmap,
        AssertContent,
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
        ForgetEvents,
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
        Remember,
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
