-- Printed from the migrations by `make docs`.
CREATE TABLE alembic_version ( version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num) );
CREATE TABLE entry ( shard INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, act TEXT NOT NULL, body TEXT NOT NULL, CONSTRAINT pk_entry PRIMARY KEY (shard, seq) ) STRICT;
CREATE TABLE record ( shard INTEGER NOT NULL, owner TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, label TEXT NOT NULL, due INTEGER, body TEXT NOT NULL, CONSTRAINT pk_record PRIMARY KEY (shard, owner, kind, id) ) STRICT;
CREATE INDEX ix_record_label ON record (kind, label, owner);
CREATE INDEX ix_record_due ON record (due) WHERE due IS NOT NULL;
CREATE TABLE watermark ( shard INTEGER NOT NULL, seq INTEGER NOT NULL, CONSTRAINT pk_watermark PRIMARY KEY (shard) ) STRICT;
CREATE TABLE opening ( shard INTEGER NOT NULL, seq INTEGER NOT NULL, piece INTEGER NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL, CONSTRAINT pk_opening PRIMARY KEY (shard, seq, piece) ) STRICT;
CREATE TABLE beginning ( shard INTEGER NOT NULL, seq INTEGER NOT NULL, archive INTEGER NOT NULL, CONSTRAINT pk_beginning PRIMARY KEY (shard) ) STRICT;
CREATE INDEX ix_beginning_archive ON beginning (archive);
INSERT INTO alembic_version VALUES ('0004');
