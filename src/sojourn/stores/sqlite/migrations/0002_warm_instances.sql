-- How many instances of a function are kept warm: FC's provision and scaling configurations, as JSON; NULL for none.

ALTER TABLE function ADD COLUMN provision TEXT;
ALTER TABLE function ADD COLUMN scaling TEXT;
