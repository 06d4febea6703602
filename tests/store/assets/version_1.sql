PRAGMA application_id=1634886504;
BEGIN TRANSACTION;
CREATE TABLE curves (
	run INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (run, number), 
	FOREIGN KEY(run) REFERENCES runs (id)
)
 WITHOUT ROWID

;
INSERT INTO "curves" VALUES(1,0,'[{"epoch":1,"accuracy":0.25},{"epoch":2,"accuracy":0.30000000000000004}]');
CREATE TABLE events (
	id INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	at FLOAT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "events" VALUES(1,1,'final',1.79537154588935947419e+09,'{"test":{"accuracy":0.975}}');
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('application','archwright');
INSERT INTO "meta" VALUES('schema_version','1');
CREATE TABLE runs (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	status TEXT NOT NULL, 
	created FLOAT NOT NULL, 
	meta TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "runs" VALUES(1,'digits','finished',1.79537154588752961154e+09,'{"seed":0,"space":{"fingerprint":"abc"}}');
CREATE TABLE trials (
	run INTEGER NOT NULL, 
	told INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	asked_after INTEGER NOT NULL, 
	status TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (run, told), 
	UNIQUE (run, number), 
	FOREIGN KEY(run) REFERENCES runs (id)
)
 WITHOUT ROWID

;
INSERT INTO "trials" VALUES(1,0,0,0,'done','{"architecture":{"0/kernel":3,"branches":["a","b"],"bias":true},"origin":"random","measurement":{"metrics":{"accuracy":0.30000000000000004,"log_loss":Infinity},"costs":{"params":5120},"seconds":1.5,"epochs":2,"extra":{"note":"\u03b2"}},"scores":[-0.30000000000000004],"key":"k0","seed":9223372036854775819,"finished":1.75}');
INSERT INTO "trials" VALUES(1,1,2,0,'failed','{"architecture":{"0/kernel":5},"parents":[0],"origin":"mutation of 0","reason":"NaN"}');
INSERT INTO "trials" VALUES(1,2,1,1,'infeasible','{"architecture":{"0/kernel":7},"epochs":3,"continues":0,"measurement":{"costs":{"params":90000}},"violation":0.8,"reason":"params 90k is above 50k"}');
COMMIT;
