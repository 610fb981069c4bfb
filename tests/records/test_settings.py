"""noa.yaml: read strictly, every mistake at its place; what a new one shows can be used."""

import re

import pytest
from jsonschema import Draft202012Validator

from noa_mlops.errors import PlanInvalid
from noa_mlops.records.reading import read_document
from noa_mlops.records.schema import settings_schema
from noa_mlops.records.settings import Scheduled, Settings, settings_text


def read(text):
    return read_document(text.encode(), name="noa.yaml", kind=Settings)


def refused(text):
    with pytest.raises(PlanInvalid) as error:
        read(text)
    return [str(problem).splitlines()[0] for problem in error.value.problems]


def test_the_text_of_a_new_project_says_its_name_and_schedules_nothing():
    assert read(settings_text(Settings("demo"))) == Settings("demo")


def test_the_schedule_that_a_new_project_shows_can_be_used():
    text = settings_text(Settings("demo")).replace("# schedule", "schedule").replace("#   LIFECYCLE", "   churn")
    expected = Scheduled("data/arrivals/*.csv", every=86400, plan="plans/LIFECYCLE.yaml")
    assert read(text).schedule == {"churn": expected}


def test_all_mistakes_are_shown_at_once_each_at_its_place():
    lines = (
        "name: demo",
        "schedule:",
        "  churn: {data: data/*.csv, evry: 1d}",
        "  rain: {data: d*/x.csv}",
        "  snow: {data: x.csv, every: daily}",
    )
    assert refused("\n".join(lines)) == [
        "noa.yaml:3:29  unknown field 'schedule.churn.evry'",
        'noa.yaml:4:16  schedule.rain.data may have * and ? in the name of the file only, got "d*/x.csv"',
        'noa.yaml:5:30  schedule.snow.every must be a duration, got "daily"',
    ]


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("{data: ../x.csv}", r"must not contain '\.\.'"),
        ("{data: x.csv, retrain: true}", "needs 'plan', the plan to run"),
        ("{data: x.csv, plan: 'plans/'}", "must name a file"),
        ("{data: x.csv, every: 0s}", "must be from 1s to 366d"),
        ("{every: 1d}", "schedule.churn.data is missing"),
        ("{data: 5}", "must be text"),
    ],
)
def test_a_task_that_cannot_be_done_is_refused(task, said):
    [problem] = refused(f"name: demo\nschedule:\n  churn: {task}\n")
    assert re.search(said, problem)


def test_a_lifecycle_has_a_name_that_can_be_one():
    assert "'schedule.Churn' is no name of a lifecycle" in refused("name: demo\nschedule:\n  Churn: {data: x.csv}\n")[0]


def test_the_schema_admits_what_the_reader_does():
    schema = Draft202012Validator(settings_schema())
    task = {"data": "data/*.csv", "every": "1d", "plan": "plans/churn.yaml", "retrain": True}
    assert schema.is_valid({"name": "demo", "schedule": {"churn": task}})
    for wrong in ({**task, "every": "daily"}, {**task, "often": 1}, {"plan": "x"}):
        assert not schema.is_valid({"name": "demo", "schedule": {"churn": wrong}})
