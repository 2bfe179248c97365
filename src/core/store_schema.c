/* The tables. A new version adds a step to the list and never changes an old one. */
#include "core/store_query.h"

static const char version_1[] =
    /* Small things, and the counter that messages take their positions from. */
    "CREATE TABLE value (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE number (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO number VALUES ('message.position', 0);"

    "CREATE TABLE profile ("
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " registration INTEGER NOT NULL,"
    " relay TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " identity BLOB NOT NULL,"
    " manifest BLOB NOT NULL,"
    " inbox_seq INTEGER NOT NULL) STRICT;"

    "CREATE TABLE contact ("
    " account BLOB PRIMARY KEY,"
    " name TEXT NOT NULL,"
    " relay TEXT NOT NULL,"
    " contact INTEGER NOT NULL,"
    " verified INTEGER NOT NULL,"
    " blocked INTEGER NOT NULL,"
    " account_key BLOB,"
    " manifest_number INTEGER NOT NULL,"
    " manifest BLOB NOT NULL,"
    " added_s INTEGER NOT NULL) STRICT;"

    "CREATE TABLE key_package ("
    " ref BLOB PRIMARY KEY,"
    " package BLOB NOT NULL,"
    " secrets BLOB NOT NULL,"
    " uploaded INTEGER NOT NULL,"
    " last_resort INTEGER NOT NULL,"
    " created_s INTEGER NOT NULL,"
    " not_after_s INTEGER NOT NULL) STRICT;"

    "CREATE TABLE invitation ("
    " capability BLOB PRIMARY KEY,"
    " uses INTEGER NOT NULL,"
    " used INTEGER NOT NULL,"
    " created_s INTEGER NOT NULL,"
    " expires_s INTEGER NOT NULL,"
    " granted INTEGER NOT NULL) STRICT;"

    "CREATE TABLE accepted ("
    " capability BLOB PRIMARY KEY,"
    " account BLOB NOT NULL,"
    " device BLOB NOT NULL,"
    " room BLOB NOT NULL,"
    " accepted_s INTEGER NOT NULL) STRICT;"

    "CREATE TABLE take ("
    " room BLOB NOT NULL,"
    " account BLOB NOT NULL,"
    " device BLOB NOT NULL,"
    " take_id BLOB NOT NULL,"
    " relay TEXT NOT NULL,"
    " capability BLOB NOT NULL,"
    " key_package BLOB NOT NULL,"
    " manifest BLOB NOT NULL,"
    " created_s INTEGER NOT NULL,"
    " PRIMARY KEY (room, account, device)) STRICT;"

    "CREATE TABLE request ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " room BLOB NOT NULL UNIQUE,"
    " sender BLOB NOT NULL,"
    " received_s INTEGER NOT NULL,"
    " envelope BLOB NOT NULL) STRICT;"

    "CREATE TABLE room ("
    " room BLOB PRIMARY KEY,"
    " kind INTEGER NOT NULL,"
    " state INTEGER NOT NULL,"
    " title TEXT NOT NULL,"
    " relay TEXT NOT NULL,"
    " peer BLOB,"
    " read_token BLOB NOT NULL,"
    " next_seq INTEGER NOT NULL,"
    " created_s INTEGER NOT NULL,"
    " active_s INTEGER NOT NULL,"
    " epoch INTEGER NOT NULL,"
    " members INTEGER NOT NULL,"
    " authenticator BLOB NOT NULL,"
    " trouble TEXT NOT NULL,"
    " generation INTEGER NOT NULL) STRICT;"

    /* Written with every message that is sent or received: small rows, found by their key. */
    "CREATE TABLE record ("
    " room BLOB NOT NULL REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " kind INTEGER NOT NULL,"
    " idx INTEGER NOT NULL,"
    " value BLOB NOT NULL,"
    " PRIMARY KEY (room, kind, idx)) STRICT;"

    "CREATE TABLE message ("
    " local INTEGER PRIMARY KEY AUTOINCREMENT,"
    " position INTEGER UNIQUE," /* NULL: waits, or failed */
    " room BLOB NOT NULL REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " seq INTEGER," /* NULL: waits, or failed */
    " part INTEGER NOT NULL,"
    " kind INTEGER NOT NULL,"
    " state INTEGER NOT NULL,"
    " own INTEGER NOT NULL,"
    " unread INTEGER NOT NULL,"
    " sender BLOB NOT NULL,"
    " subject BLOB,"
    " time_s INTEGER NOT NULL,"
    " client_id TEXT,"  /* NULL: none */
    " content_id BLOB," /* NULL: none */
    " target BLOB NOT NULL,"
    " content BLOB NOT NULL,"
    " text TEXT NOT NULL,"
    " UNIQUE (room, seq, part)," /* exactly once */
    " UNIQUE (room, client_id)) STRICT;"
    "CREATE INDEX message_order ON message (room, position);"
    "CREATE INDEX message_content ON message (room, content_id) WHERE content_id IS NOT NULL;"
    "CREATE INDEX message_unread ON message (room, position) WHERE unread = 1;"

    "CREATE TABLE outgoing ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " room BLOB NOT NULL REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " kind INTEGER NOT NULL,"
    " state INTEGER NOT NULL,"
    " client_id TEXT," /* NULL: none */
    " intent BLOB NOT NULL,"
    " request BLOB NOT NULL,"
    " epoch INTEGER NOT NULL,"
    " bytes BLOB NOT NULL,"
    " staged BLOB NOT NULL,"
    " welcome BLOB NOT NULL,"
    " write_gate BLOB,"
    " read_gate BLOB,"
    " relay TEXT NOT NULL,"
    " account BLOB NOT NULL,"
    " device BLOB NOT NULL,"
    " capability BLOB NOT NULL,"
    " tries INTEGER NOT NULL,"
    " not_before_s INTEGER NOT NULL,"
    " error TEXT NOT NULL,"
    " created_s INTEGER NOT NULL,"
    " UNIQUE (room, client_id)) STRICT;"
    "CREATE INDEX outgoing_order ON outgoing (room, id);"
    "CREATE INDEX outgoing_request ON outgoing (room, request);"
    "PRAGMA user_version = 1;";

static const char version_2[] =
    "CREATE TABLE upload ("
    " id INTEGER PRIMARY KEY,"
    " room BLOB NOT NULL REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " client_id TEXT NOT NULL,"
    " blob BLOB NOT NULL,"
    " key BLOB NOT NULL,"
    " write_token BLOB NOT NULL,"
    " path BLOB NOT NULL,"
    " size INTEGER NOT NULL,"
    " mtime_ns INTEGER NOT NULL,"
    " inode INTEGER NOT NULL,"
    " UNIQUE (room, client_id)) STRICT;"
    "PRAGMA user_version = 2;";

static const char version_3[] =
    /* Anonymous tokens. owner NULL: free; else the id of what it pays for. */
    "CREATE TABLE token ("
    " nonce BLOB PRIMARY KEY,"
    " key INTEGER NOT NULL,"
    " output BLOB NOT NULL,"
    " owner BLOB UNIQUE) STRICT;"
    /* What was asked for and not answered yet. */
    "CREATE TABLE token_blind ("
    " position INTEGER PRIMARY KEY,"
    " key INTEGER NOT NULL,"
    " nonce BLOB NOT NULL,"
    " blind BLOB NOT NULL,"
    " blinded BLOB NOT NULL) STRICT;"
    "CREATE TABLE token_chain ("
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " relay TEXT NOT NULL,"
    " number INTEGER NOT NULL,"
    " hash BLOB NOT NULL) STRICT;"
    "PRAGMA user_version = 3;";

/* What changed, for whoever shows the profile: written in the transaction that changes it, by
 * whichever process that is. Kinds: enum sotto_event_kind. */
static const char version_4[] =
    "CREATE TABLE event ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " kind INTEGER NOT NULL,"
    " about BLOB,"            /* the conversation; of a contact, the account */
    " local INTEGER) STRICT;" /* of a message: its row */

    "CREATE TRIGGER event_kept AFTER INSERT ON event BEGIN"
    " DELETE FROM event WHERE number <= NEW.number - 10000; END;"
    "CREATE TRIGGER message_added AFTER INSERT ON message BEGIN"
    " INSERT INTO event (kind, about, local) VALUES (1, NEW.room, NEW.local); END;"
    "CREATE TRIGGER message_changed AFTER UPDATE OF state, kind, text ON message"
    " WHEN OLD.state <> NEW.state OR OLD.kind <> NEW.kind OR OLD.text <> NEW.text BEGIN"
    " INSERT INTO event (kind, about, local) VALUES (2, NEW.room, NEW.local); END;"
    "CREATE TRIGGER room_added AFTER INSERT ON room BEGIN"
    " INSERT INTO event (kind, about) VALUES (3, NEW.room); END;"
    "CREATE TRIGGER room_changed AFTER UPDATE OF state, title, members, trouble ON room"
    " WHEN OLD.state <> NEW.state OR OLD.title <> NEW.title OR OLD.members <> NEW.members"
    " OR OLD.trouble <> NEW.trouble BEGIN"
    " INSERT INTO event (kind, about) VALUES (3, NEW.room); END;"
    "CREATE TRIGGER room_erased AFTER DELETE ON room BEGIN"
    " INSERT INTO event (kind, about) VALUES (3, OLD.room); END;"
    "CREATE TRIGGER contact_added AFTER INSERT ON contact WHEN NEW.contact BEGIN"
    " INSERT INTO event (kind, about) VALUES (4, NEW.account); END;"
    "CREATE TRIGGER contact_changed AFTER UPDATE ON contact"
    " WHEN OLD.contact <> NEW.contact OR NEW.contact AND (OLD.name <> NEW.name"
    " OR OLD.relay <> NEW.relay OR OLD.blocked <> NEW.blocked"
    " OR OLD.verified <> NEW.verified) BEGIN"
    " INSERT INTO event (kind, about) VALUES (4, NEW.account); END;"
    "CREATE TRIGGER request_added AFTER INSERT ON request BEGIN"
    " INSERT INTO event (kind, about) VALUES (5, NEW.room); END;"
    "CREATE TRIGGER request_erased AFTER DELETE ON request BEGIN"
    " INSERT INTO event (kind, about) VALUES (5, OLD.room); END;"
    "CREATE TRIGGER profile_added AFTER INSERT ON profile BEGIN"
    " INSERT INTO event (kind) VALUES (6); END;"
    "PRAGMA user_version = 4;";

/* What people do to messages that are there. */
static const char version_5[] =
    "ALTER TABLE message ADD COLUMN edited_s INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN markdown INTEGER NOT NULL DEFAULT 0;"
    /* Content ids of edits: whoever names one means the message. */
    "CREATE TABLE revision ("
    " room BLOB NOT NULL,"
    " content_id BLOB NOT NULL,"
    " local INTEGER NOT NULL REFERENCES message ON DELETE CASCADE,"
    " PRIMARY KEY (room, content_id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX revision_message ON revision (local);"
    "CREATE TABLE reaction ("
    " local INTEGER NOT NULL REFERENCES message ON DELETE CASCADE,"
    " sender BLOB NOT NULL,"
    " content_id BLOB NOT NULL,"
    " text TEXT NOT NULL,"
    " time_s INTEGER NOT NULL,"
    " PRIMARY KEY (local, sender)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX reaction_content ON reaction (content_id);"
    /* One's own edits, deletions and reactions, so that a repetition does nothing. */
    "CREATE TABLE change ("
    " room BLOB NOT NULL REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " client_id TEXT NOT NULL,"
    " state INTEGER NOT NULL,"
    " seq INTEGER NOT NULL,"
    " PRIMARY KEY (room, client_id)) STRICT, WITHOUT ROWID;"

    "DROP TRIGGER message_changed;"
    "CREATE TRIGGER message_changed AFTER UPDATE OF state, kind, text, edited_s ON message"
    " WHEN OLD.state <> NEW.state OR OLD.kind <> NEW.kind OR OLD.text <> NEW.text"
    " OR OLD.edited_s <> NEW.edited_s BEGIN"
    " INSERT INTO event (kind, about, local) VALUES (2, NEW.room, NEW.local); END;"
    "CREATE TRIGGER reaction_added AFTER INSERT ON reaction BEGIN"
    " INSERT INTO event (kind, about, local)"
    " SELECT 2, room, local FROM message WHERE local = NEW.local; END;"
    "CREATE TRIGGER reaction_changed AFTER UPDATE ON reaction WHEN OLD.text <> NEW.text BEGIN"
    " INSERT INTO event (kind, about, local)"
    " SELECT 2, room, local FROM message WHERE local = NEW.local; END;"
    "CREATE TRIGGER reaction_erased AFTER DELETE ON reaction BEGIN"
    " INSERT INTO event (kind, about, local)"
    " SELECT 2, room, local FROM message WHERE local = OLD.local; END;"
    "PRAGMA user_version = 5;";

/* Full-text search over what messages say: words in any case and without their accents. The texts
 * themselves stay where they are. */
static const char version_6[] =
    "CREATE VIRTUAL TABLE search USING fts5 (text, content = 'message', content_rowid = 'local',"
    " tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3');"
    "INSERT INTO search (search) VALUES ('rebuild');"
    "CREATE TRIGGER search_added AFTER INSERT ON message WHEN NEW.text <> '' BEGIN"
    " INSERT INTO search (rowid, text) VALUES (NEW.local, NEW.text); END;"
    "CREATE TRIGGER search_changed AFTER UPDATE OF text ON message WHEN OLD.text <> NEW.text BEGIN"
    " INSERT INTO search (search, rowid, text) SELECT 'delete', OLD.local, OLD.text"
    " WHERE OLD.text <> '';"
    " INSERT INTO search (rowid, text) SELECT NEW.local, NEW.text WHERE NEW.text <> '';"
    " INSERT OR REPLACE INTO number VALUES ('search.stale', 1); END;"
    "CREATE TRIGGER search_erased AFTER DELETE ON message WHEN OLD.text <> '' BEGIN"
    " INSERT INTO search (search, rowid, text) VALUES ('delete', OLD.local, OLD.text);"
    " INSERT OR REPLACE INTO number VALUES ('search.stale', 1); END;"
    "PRAGMA user_version = 6;";

static const char version_7[] =
    /* Receipts that are owed to others, and those of others: enum store_receipt_state. */
    "ALTER TABLE message ADD COLUMN owed INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX message_owed ON message (room) WHERE owed > 0;"
    "ALTER TABLE room ADD COLUMN receipt_s INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE receipt ("
    " local INTEGER NOT NULL REFERENCES message ON DELETE CASCADE,"
    " account BLOB NOT NULL,"
    " state INTEGER NOT NULL,"
    " time_s INTEGER NOT NULL,"
    " PRIMARY KEY (local, account)) STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER receipt_added AFTER INSERT ON receipt BEGIN"
    " INSERT INTO event (kind, about, local)"
    " SELECT 2, room, local FROM message WHERE local = NEW.local; END;"
    "CREATE TRIGGER receipt_changed AFTER UPDATE ON receipt BEGIN"
    " INSERT INTO event (kind, about, local)"
    " SELECT 2, room, local FROM message WHERE local = NEW.local; END;"
    "PRAGMA user_version = 7;";

static const char version_8[] =
    /* How long after they were read messages are erased, and when that is: 0 while nothing counts.
     */
    "ALTER TABLE message ADD COLUMN timer_s INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN erase_s INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX message_erase ON message (erase_s) WHERE erase_s > 0;"
    "ALTER TABLE room ADD COLUMN timer_s INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE event ADD COLUMN position INTEGER;" /* of a message that was erased, else NULL */
    "CREATE TRIGGER room_timer AFTER UPDATE OF timer_s ON room WHEN OLD.timer_s <> NEW.timer_s "
    "BEGIN"
    " INSERT INTO event (kind, about) VALUES (3, NEW.room); END;"
    "PRAGMA user_version = 8;";

/* Several devices of one account. */
static const char version_9[] =
    /* Which accounts' lists of devices changed, and up to which change each room was looked at. */
    "CREATE TABLE manifest_change ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account BLOB NOT NULL UNIQUE) STRICT;"
    "CREATE TABLE room_judged ("
    " room BLOB PRIMARY KEY REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " number INTEGER NOT NULL) STRICT;"
    /* Histories that are being given to devices of one's own. */
    "CREATE TABLE history ("
    " device BLOB PRIMARY KEY,"
    " position INTEGER NOT NULL,"
    " given INTEGER NOT NULL) STRICT;"
    "CREATE TABLE device_name ("
    " device BLOB PRIMARY KEY,"
    " name TEXT NOT NULL) STRICT;"
    /* The room among one's own devices is nobody's conversation. */
    "DROP TRIGGER room_added; DROP TRIGGER room_changed; DROP TRIGGER room_erased;"
    "CREATE TRIGGER room_added AFTER INSERT ON room WHEN NEW.kind <> 3 BEGIN"
    " INSERT INTO event (kind, about) VALUES (3, NEW.room); END;"
    "CREATE TRIGGER room_changed AFTER UPDATE OF state, title, members, trouble ON room"
    " WHEN NEW.kind <> 3 AND (OLD.state <> NEW.state OR OLD.title <> NEW.title"
    " OR OLD.members <> NEW.members OR OLD.trouble <> NEW.trouble) BEGIN"
    " INSERT INTO event (kind, about) VALUES (3, NEW.room); END;"
    "CREATE TRIGGER room_erased AFTER DELETE ON room WHEN OLD.kind <> 3 BEGIN"
    " INSERT INTO event (kind, about) VALUES (3, OLD.room); END;"
    "PRAGMA user_version = 9;";

/* People: what one calls them oneself, and whether their lists of devices contradict each other. */
static const char version_10[] =
    "ALTER TABLE contact ADD COLUMN label TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE contact ADD COLUMN conflict INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX contact_blocked ON contact (account) WHERE blocked;"
    "DROP TRIGGER contact_changed;"
    "CREATE TRIGGER contact_changed AFTER UPDATE ON contact"
    " WHEN OLD.contact <> NEW.contact OR OLD.blocked <> NEW.blocked OR NEW.contact AND"
    " (OLD.name <> NEW.name OR OLD.relay <> NEW.relay OR OLD.verified <> NEW.verified"
    " OR OLD.label <> NEW.label OR OLD.conflict <> NEW.conflict) BEGIN"
    " INSERT INTO event (kind, about) VALUES (4, NEW.account); END;"
    "PRAGMA user_version = 10;";

/* The list of conversations: store_listing.h. here: whether there is such a room. */
static const char version_11[] =
    "CREATE TABLE listing ("
    " room BLOB PRIMARY KEY,"
    " here INTEGER NOT NULL DEFAULT 0,"
    " active_s INTEGER NOT NULL DEFAULT 0,"
    " last INTEGER NOT NULL DEFAULT 0,"
    " unread INTEGER NOT NULL DEFAULT 0,"
    " mentions INTEGER NOT NULL DEFAULT 0,"
    " shelf INTEGER NOT NULL DEFAULT 0,"
    " pinned INTEGER NOT NULL DEFAULT 0,"
    " marked INTEGER NOT NULL DEFAULT 0,"
    " muted_s INTEGER NOT NULL DEFAULT 0,"
    " mentions_muted INTEGER NOT NULL DEFAULT 0,"
    " draft TEXT NOT NULL DEFAULT '',"
    " draft_markdown INTEGER NOT NULL DEFAULT 0,"
    " draft_target BLOB NOT NULL DEFAULT x'',"
    " draft_s INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX listing_order ON listing (shelf, pinned DESC, active_s DESC, last DESC)"
    " WHERE here;"
    /* Conversations whose messages are to be erased up to an entry. */
    "CREATE TABLE erasing (room BLOB PRIMARY KEY, seq INTEGER NOT NULL) STRICT;"
    "ALTER TABLE message ADD COLUMN mention INTEGER NOT NULL DEFAULT 0;" /* of oneself */
    "CREATE INDEX room_own ON room (room) WHERE kind = 3;"
    "INSERT INTO listing (room, here, active_s, unread, last)"
    " SELECT room, 1, active_s,"
    " (SELECT count(*) FROM message WHERE message.room = room.room AND unread = 1),"
    " coalesce((SELECT local FROM message WHERE message.room = room.room"
    " ORDER BY position DESC LIMIT 1), 0) FROM room WHERE kind <> 3;"

    "CREATE TRIGGER listing_added AFTER INSERT ON room WHEN NEW.kind <> 3 BEGIN"
    " INSERT INTO listing (room, here, active_s) VALUES (NEW.room, 1, NEW.active_s)"
    " ON CONFLICT (room) DO UPDATE SET here = 1, active_s = excluded.active_s; END;"
    "CREATE TRIGGER listing_active AFTER UPDATE OF active_s ON room"
    " WHEN OLD.active_s <> NEW.active_s BEGIN"
    " UPDATE listing SET active_s = NEW.active_s WHERE room = NEW.room; END;"
    "CREATE TRIGGER listing_erased AFTER DELETE ON room BEGIN"
    " DELETE FROM listing WHERE room = OLD.room; END;"
    "CREATE TRIGGER listing_came AFTER INSERT ON message BEGIN"
    " UPDATE listing SET unread = unread + NEW.unread,"
    " mentions = mentions + NEW.unread * NEW.mention, shelf = iif(shelf = 2, 0, shelf),"
    " last = iif(NEW.position IS NULL OR NEW.position >"
    " coalesce((SELECT position FROM message WHERE local = last), 0), NEW.local, last)"
    " WHERE room = NEW.room; END;"
    "CREATE TRIGGER listing_placed AFTER UPDATE OF position ON message BEGIN"
    " UPDATE listing SET last = NEW.local WHERE room = NEW.room; END;"
    "CREATE TRIGGER listing_read AFTER UPDATE OF unread, mention ON message"
    " WHEN OLD.unread <> NEW.unread OR OLD.mention <> NEW.mention BEGIN"
    " UPDATE listing SET unread = unread + NEW.unread - OLD.unread,"
    " mentions = mentions + NEW.unread * NEW.mention - OLD.unread * OLD.mention"
    " WHERE room = NEW.room; END;"
    "CREATE TRIGGER listing_gone AFTER DELETE ON message BEGIN"
    " UPDATE listing SET unread = unread - OLD.unread,"
    " mentions = mentions - OLD.unread * OLD.mention,"
    " last = iif(last <> OLD.local, last, coalesce((SELECT local FROM message"
    " WHERE room = OLD.room ORDER BY position DESC LIMIT 1), 0))"
    " WHERE room = OLD.room AND (OLD.unread OR last = OLD.local); END;"
    "CREATE TRIGGER listing_set AFTER UPDATE OF shelf, pinned, marked, muted_s, mentions_muted,"
    " draft, draft_markdown, draft_target ON listing"
    " WHEN NEW.here AND (OLD.shelf <> NEW.shelf OR OLD.pinned <> NEW.pinned"
    " OR OLD.marked <> NEW.marked OR OLD.muted_s <> NEW.muted_s"
    " OR OLD.mentions_muted <> NEW.mentions_muted OR OLD.draft <> NEW.draft"
    " OR OLD.draft_markdown <> NEW.draft_markdown OR OLD.draft_target <> NEW.draft_target) BEGIN"
    " INSERT INTO event (kind, about) VALUES (3, NEW.room); END;"
    "PRAGMA user_version = 11;";

/* Coming back into rooms (store_rejoin.h). */
static const char version_12[] =
    "CREATE TABLE rejoin ("
    " room BLOB PRIMARY KEY REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " since_s INTEGER NOT NULL,"
    " asked_s INTEGER NOT NULL,"
    " next_s INTEGER NOT NULL,"
    " rounds INTEGER NOT NULL,"
    " step INTEGER NOT NULL) STRICT;"
    "CREATE TABLE rejoin_peer ("
    " room BLOB NOT NULL REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " account BLOB NOT NULL,"
    " device BLOB NOT NULL,"
    " round INTEGER NOT NULL," /* in which its account was asked last */
    " PRIMARY KEY (room, account, device)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE rejoin_package ("
    " ref BLOB PRIMARY KEY REFERENCES key_package ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " room BLOB NOT NULL) STRICT;"
    "CREATE INDEX rejoin_package_room ON rejoin_package (room);"
    "CREATE TABLE rejoin_seen ("
    " ref BLOB PRIMARY KEY,"
    " ends_s INTEGER NOT NULL) STRICT;"
    "CREATE TABLE rejoin_came ("
    " room BLOB NOT NULL REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " account BLOB NOT NULL,"
    " device BLOB NOT NULL,"
    " not_before_s INTEGER NOT NULL,"
    " PRIMARY KEY (room, account, device)) STRICT, WITHOUT ROWID;"
    "PRAGMA user_version = 12;";

static const char version_13[] =
    /* What is sent of a file: as it lies there, or a picture without what it tells beside. failed:
     * it is not sent any more, and can be tried anew. */
    "ALTER TABLE upload ADD COLUMN form INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE upload ADD COLUMN sent INTEGER NOT NULL DEFAULT 0;" /* bytes, of form 1 */
    "ALTER TABLE upload ADD COLUMN digest BLOB;"                     /* of them */
    "ALTER TABLE upload ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;"
    /* Blobs of this device's, and one's own messages that speak of them. delete_s: from when on
     * their deletion is owed; NULL: it is not. */
    "CREATE TABLE blob ("
    " blob BLOB PRIMARY KEY,"
    " relay TEXT NOT NULL,"
    " write_token BLOB NOT NULL,"
    " delete_s INTEGER) STRICT, WITHOUT ROWID;"
    "CREATE INDEX blob_delete ON blob (delete_s) WHERE delete_s IS NOT NULL;"
    "CREATE TABLE message_blob ("
    " local INTEGER PRIMARY KEY REFERENCES message ON DELETE CASCADE,"
    " blob BLOB NOT NULL) STRICT;"
    "CREATE INDEX message_blob_of ON message_blob (blob);"
    "PRAGMA user_version = 13;";

/* What the members of rooms agreed on. */
static const char version_14[] =
    "CREATE TABLE room_settings ("
    " room BLOB PRIMARY KEY REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " settings BLOB NOT NULL,"
    " role INTEGER NOT NULL,"
    " offender BLOB,"
    " successor BLOB) STRICT;"
    "CREATE TRIGGER settings_changed AFTER UPDATE ON room_settings"
    " WHEN OLD.settings <> NEW.settings OR OLD.role <> NEW.role"
    " OR OLD.successor IS NOT NEW.successor BEGIN"
    " INSERT INTO event (kind, about) VALUES (3, NEW.room); END;"
    "PRAGMA user_version = 14;";

/* Which account a relay first named for a username or number. */
static const char version_15[] = "CREATE TABLE pin ("
                                 " relay TEXT NOT NULL,"
                                 " label TEXT NOT NULL,"
                                 " account BLOB NOT NULL,"
                                 " seen_s INTEGER NOT NULL,"
                                 " PRIMARY KEY (relay, label)) STRICT, WITHOUT ROWID;"
                                 "CREATE INDEX pin_account ON pin (account);"
                                 "PRAGMA user_version = 15;";

static const char version_16[] =
    "ALTER TABLE room_settings ADD COLUMN committer BLOB;"
    "ALTER TABLE room_settings ADD COLUMN resume_s INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX room_resume ON room_settings (resume_s) WHERE resume_s > 0;"
    "PRAGMA user_version = 16;";

/* When one's own leaf gets fresh keys (store_renewal.h). */
static const char version_17[] =
    "CREATE TABLE renewal ("
    " room BLOB PRIMARY KEY REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " due_s INTEGER NOT NULL,"
    " due_seq INTEGER NOT NULL) STRICT;"
    "PRAGMA user_version = 17;";

/* People's pictures, and one's own. */
static const char version_18[] = "CREATE TABLE picture ("
                                 " account BLOB PRIMARY KEY,"
                                 " hash BLOB NOT NULL,"
                                 " bytes BLOB NOT NULL) STRICT;"
                                 "PRAGMA user_version = 18;";

/* So that nobody has to look through all rooms to see that one came or went. */
static const char version_19[] =
    "CREATE INDEX outgoing_kind ON outgoing (room, kind);"
    "INSERT INTO number VALUES ('rooms', 1);"
    "CREATE TRIGGER rooms_added AFTER INSERT ON room BEGIN"
    " UPDATE number SET value = value + 1 WHERE name = 'rooms'; END;"
    "CREATE TRIGGER rooms_changed AFTER UPDATE OF state ON room WHEN OLD.state <> NEW.state BEGIN"
    " UPDATE number SET value = value + 1 WHERE name = 'rooms'; END;"
    /* Texts are indexed at the end of the transaction that adds them, all at once: FTS5 writes what
     * it has gathered to the disk before each statement that has triggers. */
    "INSERT INTO number VALUES ('search.indexed', coalesce((SELECT max(local) FROM message), 0));"
    "DROP TRIGGER search_added; DROP TRIGGER search_changed; DROP TRIGGER search_erased;"
    "CREATE TRIGGER search_changed AFTER UPDATE OF text ON message WHEN OLD.text <> NEW.text"
    " AND OLD.local <= (SELECT value FROM number WHERE name = 'search.indexed') BEGIN"
    " INSERT INTO search (search, rowid, text) SELECT 'delete', OLD.local, OLD.text"
    " WHERE OLD.text <> '';"
    " INSERT INTO search (rowid, text) SELECT NEW.local, NEW.text WHERE NEW.text <> '';"
    " INSERT OR REPLACE INTO number VALUES ('search.stale', 1); END;"
    "CREATE TRIGGER search_erased AFTER DELETE ON message WHEN OLD.text <> ''"
    " AND OLD.local <= (SELECT value FROM number WHERE name = 'search.indexed') BEGIN"
    " INSERT INTO search (search, rowid, text) VALUES ('delete', OLD.local, OLD.text);"
    " INSERT OR REPLACE INTO number VALUES ('search.stale', 1); END;"
    "PRAGMA user_version = 19;";

/* Joining groups by links: store_joining.h. */
static const char version_20[] =
    "CREATE TABLE join_link ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " capability BLOB NOT NULL UNIQUE,"
    " room BLOB NOT NULL REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " revoked INTEGER NOT NULL) STRICT;"
    "CREATE TABLE joiner ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " room BLOB NOT NULL REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " account BLOB NOT NULL,"
    " device BLOB NOT NULL,"
    " relay TEXT NOT NULL,"
    " capability BLOB NOT NULL,"
    " name TEXT NOT NULL,"
    " time_s INTEGER NOT NULL,"
    " UNIQUE (room, account)) STRICT;"
    "CREATE TABLE asked_to_join ("
    " room BLOB PRIMARY KEY REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " link BLOB NOT NULL,"
    " account BLOB NOT NULL,"
    " device BLOB NOT NULL,"
    " capability BLOB NOT NULL UNIQUE) STRICT;"
    "CREATE TRIGGER joiner_added AFTER INSERT ON joiner BEGIN"
    " INSERT INTO event (kind, about) VALUES (20, NEW.room); END;"
    "CREATE TRIGGER joiner_erased AFTER DELETE ON joiner BEGIN"
    " INSERT INTO event (kind, about) VALUES (20, OLD.room); END;"
    "PRAGMA user_version = 20;";

/* Changes that came before what they change: store_early.h. */
static const char version_21[] =
    "CREATE TABLE early_change ("
    " room BLOB NOT NULL REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " seq INTEGER NOT NULL,"
    " sender BLOB NOT NULL,"
    " target BLOB NOT NULL,"
    " content BLOB NOT NULL,"
    " time_s INTEGER NOT NULL,"
    " erase_s INTEGER NOT NULL,"
    " PRIMARY KEY (room, seq)) STRICT;"
    "CREATE INDEX early_change_target ON early_change (room, target);"
    "CREATE INDEX early_change_erase ON early_change (erase_s);"
    "PRAGMA user_version = 21;";

/* Files that are fetched without being asked for: store_downloads.h. */
static const char version_22[] =
    "CREATE TABLE download ("
    " local INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE,"
    " size INTEGER NOT NULL,"
    " state INTEGER NOT NULL) STRICT;"
    "CREATE INDEX download_state ON download (state);"
    "CREATE TABLE download_left (name TEXT PRIMARY KEY) STRICT;"
    "CREATE TRIGGER download_erased AFTER DELETE ON download BEGIN"
    " INSERT OR IGNORE INTO download_left VALUES (OLD.name); END;"
    "CREATE TRIGGER download_ended AFTER UPDATE OF state ON download WHEN NEW.state = 3 BEGIN"
    " INSERT OR IGNORE INTO download_left VALUES (NEW.name); END;"
    "CREATE TRIGGER download_here AFTER UPDATE OF state ON download WHEN NEW.state = 2 BEGIN"
    " INSERT INTO event (kind, about, local)"
    " SELECT 2, room, local FROM message WHERE local = NEW.local; END;"
    "CREATE TRIGGER download_of_erased AFTER DELETE ON message BEGIN"
    " DELETE FROM download WHERE local = OLD.local; END;"
    "CREATE TRIGGER download_of_changed AFTER UPDATE OF kind ON message WHEN NEW.kind <> 9 BEGIN"
    " DELETE FROM download WHERE local = OLD.local; END;"
    "PRAGMA user_version = 22;";

/* Logs of lawful orders, and what relays tell the account: store_order_log.h, store_notices.h. */
static const char version_23[] =
    "CREATE TABLE order_log ("
    " relay TEXT PRIMARY KEY,"
    " key TEXT NOT NULL,"
    " note BLOB NOT NULL,"
    " counted BLOB NOT NULL,"
    " looked_s INTEGER NOT NULL,"
    " grew_s INTEGER NOT NULL,"
    " verdict INTEGER NOT NULL,"
    " convicted_s INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE order_evidence ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " relay TEXT NOT NULL,"
    " verdict INTEGER NOT NULL,"
    " time_s INTEGER NOT NULL,"
    " key TEXT NOT NULL,"
    " other_key TEXT NOT NULL,"
    " old_note BLOB NOT NULL,"
    " new_note BLOB NOT NULL) STRICT;"
    "CREATE TABLE notice ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " hash BLOB NOT NULL UNIQUE,"
    " relay TEXT NOT NULL,"
    " note BLOB NOT NULL,"
    " received_s INTEGER NOT NULL,"
    " good INTEGER NOT NULL,"
    " entry INTEGER NOT NULL,"
    " read INTEGER NOT NULL) STRICT;"
    "CREATE TRIGGER order_log_added AFTER INSERT ON order_log BEGIN"
    " INSERT INTO event (kind) VALUES (26); END;"
    "CREATE TRIGGER order_log_changed AFTER UPDATE ON order_log WHEN OLD.key <> NEW.key"
    " OR OLD.note <> NEW.note OR OLD.counted <> NEW.counted OR OLD.verdict <> NEW.verdict BEGIN"
    " INSERT INTO event (kind) VALUES (26); END;"
    "CREATE TRIGGER order_evidence_added AFTER INSERT ON order_evidence BEGIN"
    " INSERT INTO event (kind) VALUES (26); END;"
    "CREATE TRIGGER notice_added AFTER INSERT ON notice WHEN NEW.good = 1 BEGIN"
    " INSERT INTO event (kind, about) VALUES (25, NEW.hash); END;"
    "CREATE TRIGGER notice_changed AFTER UPDATE ON notice WHEN NEW.good = 1 BEGIN"
    " INSERT INTO event (kind, about) VALUES (25, NEW.hash); END;"
    "PRAGMA user_version = 23;";

/* Links to join groups, and who asks, may come from one's other devices before their room is known
 * here. A link of a conversation that was erased is over: the relay is told. */
static const char version_24[] =
    "CREATE TABLE link_24 ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " capability BLOB NOT NULL UNIQUE,"
    " room BLOB NOT NULL,"
    " revoked INTEGER NOT NULL) STRICT;"
    "INSERT INTO link_24 SELECT number, capability, room, revoked FROM join_link;"
    "DROP TABLE join_link;"
    "ALTER TABLE link_24 RENAME TO join_link;"
    "CREATE TABLE joiner_24 ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " room BLOB NOT NULL,"
    " account BLOB NOT NULL,"
    " device BLOB NOT NULL,"
    " relay TEXT NOT NULL,"
    " capability BLOB NOT NULL,"
    " name TEXT NOT NULL,"
    " time_s INTEGER NOT NULL,"
    " UNIQUE (room, account)) STRICT;"
    "INSERT INTO joiner_24 SELECT id, room, account, device, relay, capability, name, time_s"
    " FROM joiner;"
    "DROP TABLE joiner;"
    "ALTER TABLE joiner_24 RENAME TO joiner;"
    "CREATE TRIGGER joiner_added AFTER INSERT ON joiner BEGIN"
    " INSERT INTO event (kind, about) VALUES (20, NEW.room); END;"
    "CREATE TRIGGER joiner_erased AFTER DELETE ON joiner BEGIN"
    " INSERT INTO event (kind, about) VALUES (20, OLD.room); END;"
    "CREATE TRIGGER join_link_added AFTER INSERT ON join_link BEGIN"
    " INSERT INTO event (kind, about) VALUES (20, NEW.room); END;"
    "CREATE TRIGGER join_link_used AFTER UPDATE OF used ON invitation"
    " WHEN NEW.used <> OLD.used BEGIN"
    " INSERT INTO event (kind, about)"
    " SELECT 20, room FROM join_link WHERE capability = NEW.capability AND revoked = 0; END;"
    "CREATE TRIGGER join_link_revoked AFTER UPDATE OF revoked ON join_link"
    " WHEN NEW.revoked <> OLD.revoked BEGIN"
    " INSERT INTO event (kind, about) VALUES (20, NEW.room); END;"
    "CREATE TRIGGER room_joining_added AFTER INSERT ON room"
    " WHEN EXISTS (SELECT 1 FROM joiner WHERE room = NEW.room) BEGIN"
    " INSERT INTO event (kind, about) VALUES (20, NEW.room); END;"
    "CREATE TRIGGER room_joining_erased AFTER DELETE ON room BEGIN"
    " UPDATE join_link SET revoked = 1 WHERE room = OLD.room;"
    " DELETE FROM joiner WHERE room = OLD.room; END;"
    "PRAGMA user_version = 24;";

/* Who was added and could not be let in: store_arriving.h. */
static const char version_25[] =
    "CREATE TABLE unwelcomed ("
    " room BLOB NOT NULL REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " account BLOB NOT NULL,"
    " device BLOB NOT NULL,"
    " error TEXT NOT NULL,"
    " PRIMARY KEY (room, account, device)) STRICT;"
    "CREATE TRIGGER unwelcomed_added AFTER INSERT ON unwelcomed BEGIN"
    " INSERT INTO event (kind, about) VALUES (3, NEW.room); END;"
    "CREATE TRIGGER unwelcomed_erased AFTER DELETE ON unwelcomed BEGIN"
    " INSERT INTO event (kind, about) VALUES (3, OLD.room); END;"
    "CREATE TRIGGER welcome_refused AFTER UPDATE OF error ON outgoing"
    " WHEN NEW.kind = 5 AND NEW.client_id IS NULL AND NEW.error <> OLD.error BEGIN"
    " INSERT INTO event (kind, about) VALUES (3, NEW.room); END;"
    "CREATE TRIGGER welcome_ended AFTER DELETE ON outgoing"
    " WHEN OLD.kind = 5 AND OLD.client_id IS NULL AND OLD.error <> '' BEGIN"
    " INSERT INTO event (kind, about) VALUES (3, OLD.room); END;"
    "PRAGMA user_version = 25;";

/* Receipts that came before the message that they are about: store_receipts.h. */
static const char version_26[] =
    "CREATE TABLE early_receipt ("
    " number INTEGER PRIMARY KEY," /* the order */
    " room BLOB NOT NULL REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " target BLOB NOT NULL,"
    " account BLOB NOT NULL,"
    " state INTEGER NOT NULL,"
    " time_s INTEGER NOT NULL,"
    " UNIQUE (room, target, account)) STRICT;"
    "CREATE INDEX early_receipt_account ON early_receipt (room, account);"
    "PRAGMA user_version = 26;";

/* Welcomes that are owed, by whom they are for: their bytes, which lie in front of that in the row,
 * are large, and a group has as many as people were added. */
static const char version_27[] =
    "CREATE INDEX outgoing_whom ON outgoing (room, account, device, error) WHERE kind = 5;"
    "CREATE INDEX outgoing_refused ON outgoing (room, error) WHERE kind = 5 AND error <> '';"
    "PRAGMA user_version = 27;";

/* steps[n]: from version n to n + 1 */
static const char *const steps[STORE_VERSION] = {
    version_1,  version_2,  version_3,  version_4,  version_5,  version_6,  version_7,
    version_8,  version_9,  version_10, version_11, version_12, version_13, version_14,
    version_15, version_16, version_17, version_18, version_19, version_20, version_21,
    version_22, version_23, version_24, version_25, version_26, version_27};

const char *store_schema_step(uint64_t version)
{
    return steps[version];
}

static sotto_error version_of(struct store *store, uint64_t *version)
{
    struct query q;
    query_read(&q, store, "PRAGMA user_version");
    uint64_t found = query_next(&q) ? column_u64(&q) : 0;
    TRY(query_end(&q));
    *version = found;
    return SOTTO_OK;
}

sotto_error store_migrate(struct store *store)
{
    uint64_t version;
    TRY(version_of(store, &version));
    if (version == STORE_VERSION)
        return SOTTO_OK;
    TRY(store_begin(store));
    /* Another process may have done it while this one waited for the lock. */
    sotto_error error = version_of(store, &version);
    if (error == SOTTO_OK && version > STORE_VERSION)
        error = store_fail(store, SOTTO_VERSION, "profile.db: made by a newer version of Sotto");
    for (; error == SOTTO_OK && version < STORE_VERSION; version++)
        error = store_exec(store, steps[version]);
    if (error == SOTTO_OK)
        return store_commit(store);
    store_rollback(store);
    return error;
}
