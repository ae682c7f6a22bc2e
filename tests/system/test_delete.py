"""test_delete.py — a row that goes, by whatever way, takes its object along; and who may make it go."""
import uuid

import pytest

from processes import wait_until


def new_id(what):
    return f"{what}-{uuid.uuid4().hex[:8]}"


def assert_gone(stack, keys):
    wait_until(lambda: not set(keys) & set(stack.objects()), 10, "the objects are deleted")
    wait_until(lambda: not set(keys) & stack.planned(), 10, "their jobs are done")
    assert not set(keys) & set(stack.rows())


@pytest.fixture(params=["local", "s3"])
def stack(request):
    return request.getfixturevalue(request.param)


def message_of(stack, count=2):
    """A message with files, and their keys."""
    made = [stack.upload(b"%d" % i) for i in range(count)]
    message = new_id("m")
    assert stack.link(message, *[a["id"] for a in made], dialog_id=new_id("d")).status == 200
    return message, made, [stack.key_of(a) for a in made]


def test_deleting_a_message_removes_its_rows_and_then_its_objects(stack):
    message, made, keys = message_of(stack)
    other = stack.upload(b"stays")
    answer = stack.call("DELETE", "/api/messages/" + message, "service")
    assert (answer.status, answer.body) == (204, b"")
    for a in made:
        assert stack.get(a["url"]).status == 404
    assert_gone(stack, keys)
    assert stack.get(other["url"]).body == b"stays"
    assert stack.call("DELETE", "/api/messages/" + message, "service").status == 204, "a repeated delete is a success"


@pytest.mark.parametrize("how", ["DELETE", "cascade", "TRUNCATE"])
def test_rows_that_the_application_deletes_take_their_objects_along(stack, how, request):
    if how == "TRUNCATE":
        stack = request.getfixturevalue("new_stack")()
    message, made, keys = message_of(stack)
    if how == "DELETE":
        stack.sql("DELETE FROM attachments WHERE message_id = %s", message)
    elif how == "TRUNCATE":
        stack.sql("TRUNCATE attachments CASCADE")
    else:  # rows of the application that ours hang on
        stack.sql("CREATE TABLE app_posts (id text PRIMARY KEY)")
        try:
            stack.sql("INSERT INTO app_posts SELECT DISTINCT message_id FROM attachments WHERE message_id IS NOT NULL")
            stack.sql("ALTER TABLE attachments ADD CONSTRAINT app FOREIGN KEY (message_id) REFERENCES app_posts (id) "
                      "ON DELETE CASCADE")
            stack.sql("DELETE FROM app_posts WHERE id = %s", message)
        finally:
            stack.sql("DROP TABLE app_posts CASCADE")
    assert_gone(stack, keys)


def test_the_role_of_an_application_needs_no_right_on_our_jobs(local):
    message, _, keys = message_of(local)
    local.sql("CREATE ROLE app_role")
    try:
        local.sql("GRANT USAGE ON SCHEMA cloakroom TO app_role; GRANT SELECT, DELETE ON attachments TO app_role")
        local.sql("SET ROLE app_role; DELETE FROM attachments WHERE message_id = '" + message + "'")
    finally:
        local.sql("DROP OWNED BY app_role; DROP ROLE app_role")
    assert_gone(local, keys)


def test_a_delete_that_is_rolled_back_deletes_nothing(local):
    _, made, keys = message_of(local, 1)
    local.sql("BEGIN; DELETE FROM attachments WHERE id = '" + made[0]["id"] + "'; ROLLBACK")
    local.tool("jobs", "--once")
    assert local.get(made[0]["url"]).body == b"0" and set(keys) <= set(local.objects())


def test_an_uploader_removes_his_unlinked_file(stack):
    made = stack.upload()
    key = stack.key_of(made)
    answer = stack.call("DELETE", "/api/attachments/" + made["id"])
    assert (answer.status, answer.body) == (204, b"")
    assert stack.get(made["url"]).status == 404
    assert_gone(stack, [key])
    assert stack.call("DELETE", "/api/attachments/" + made["id"]).status == 404


def test_the_service_removes_an_unlinked_file_of_anybody(local):
    made = local.upload()
    assert local.call("DELETE", "/api/attachments/" + made["id"], "service").status == 204


def test_a_linked_file_is_not_removed_by_itself(local):
    _, made, keys = message_of(local, 1)
    for user in ("alice", "service"):
        answer = local.call("DELETE", "/api/attachments/" + made[0]["id"], user)
        assert answer.status == 409 and answer.json()["type"] == "urn:cloakroom:error:conflict"
    assert local.get(made[0]["url"]).status == 200 and not set(keys) & local.planned()


def test_a_member_may_see_but_not_remove_and_a_stranger_learns_nothing(local):
    dialog = new_id("d")
    local.members(dialog, "alice", "bob")
    made = local.upload()
    assert local.call("DELETE", "/api/attachments/" + made["id"], "bob").status == 404, "not linked: not to be seen"
    local.link(new_id("m"), made["id"], dialog_id=dialog)
    assert local.call("DELETE", "/api/attachments/" + made["id"], "bob").status == 403
    assert local.call("DELETE", "/api/attachments/" + made["id"], "mallory").status == 404
    assert local.get(made["url"]).status == 200


def test_routes_of_the_service_are_closed_to_users(local):
    message, made, _ = message_of(local, 1)
    for method, path, body in (("DELETE", "/api/messages/" + message, None),
                               ("PUT", "/api/dialogs/d/members", b'{"members":["alice"]}')):
        for user, status in (("alice", 403), (None, 401)):
            answer = local.call(method, path, user, body=body)
            assert answer.status == status and answer.headers["Content-Type"] == "application/problem+json"
    assert local.get(made[0]["url"]).status == 200


def test_a_deleted_s3_object_is_not_served_from_nginx_cache(s3):
    message, made, keys = message_of(s3, 1)
    assert s3.get(made[0]["url"]).status == 200  # it is in the cache now
    s3.call("DELETE", "/api/messages/" + message, "service")
    assert s3.get(made[0]["url"]).status == 404
    assert_gone(s3, keys)
