;; `embed` grows 24 tables in turn, 128 Ki entries at a time, to 2 Mi entries each: 384 MiB at 8
;; bytes an entry, of which no single table has more than 16 MiB.
;;
;; Promise: tables count as memory, and all of them count together. Expected: `limit.memory`, in a
;; sandbox of less than 384 MiB.
(component
  (core module $guest
    (memory (export "memory") 1)
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    ;; `embed` answers one text with the vector [0.0] and no truncation: the fields of the answer
    ;; from 64 on, its values at 128, its flags at 132.
    (data (i32.const 64) "\00\00\00\00" "\01\00\00\00" "\80\00\00\00\01\00\00\00"
                         "\84\00\00\00\01\00\00\00")
    (table $t00 0 funcref) (table $t01 0 funcref) (table $t02 0 funcref) (table $t03 0 funcref)
    (table $t04 0 funcref) (table $t05 0 funcref) (table $t06 0 funcref) (table $t07 0 funcref)
    (table $t08 0 funcref) (table $t09 0 funcref) (table $t10 0 funcref) (table $t11 0 funcref)
    (table $t12 0 funcref) (table $t13 0 funcref) (table $t14 0 funcref) (table $t15 0 funcref)
    (table $t16 0 funcref) (table $t17 0 funcref) (table $t18 0 funcref) (table $t19 0 funcref)
    (table $t20 0 funcref) (table $t21 0 funcref) (table $t22 0 funcref) (table $t23 0 funcref)
    (func $check (param $was i32)
      (if (i32.eq (local.get $was) (i32.const -1)) (then unreachable)))
    (func (export "embed") (param i32 i32) (result i32)
      (local $round i32)
      (loop $again
        (call $check (table.grow $t00 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t01 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t02 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t03 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t04 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t05 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t06 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t07 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t08 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t09 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t10 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t11 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t12 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t13 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t14 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t15 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t16 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t17 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t18 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t19 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t20 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t21 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t22 (ref.null func) (i32.const 0x20000)))
        (call $check (table.grow $t23 (ref.null func) (i32.const 0x20000)))
        (local.set $round (i32.add (local.get $round) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $round) (i32.const 16))))
      (i32.const 64))
    ;; Never frees; starts above everything else.
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top
        (i32.and
          (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  )

  (core instance $guest (instantiate $guest))
  (alias core export $guest "memory" (core memory $memory))
  (alias core export $guest "realloc" (core func $realloc))

  ;; The contract: `lifecycle` and `text-embedding`.
  (type $error (record (field "code" string) (field "message" string)))
  (type $property (record (field "key" string) (field "value" string)))
  (type $usage (record (field "input-tokens" u32) (field "output-tokens" u32)))
  (type $model-info (record
    (field "architecture" string) (field "properties" (list $property))))
  (type $embeddings (record
    (field "dimensions" u32) (field "values" (list f32))
    (field "truncated" (list bool)) (field "usage" $usage)))
  (func $init (result (result (error $error)))
    (canon lift (core func $guest "init") (memory $memory)))
  (func $describe (result $model-info)
    (canon lift (core func $guest "describe") (memory $memory)))
  (func $embed (param "texts" (list string)) (result (result $embeddings (error $error)))
    (canon lift (core func $guest "embed") (memory $memory) (realloc $realloc)))
  (instance $lifecycle
    (export "error" (type $error)) (export "property" (type $property))
    (export "model-info" (type $model-info))
    (export "init" (func $init)) (export "describe" (func $describe)))
  (instance $text-embedding
    (export "error" (type $error)) (export "usage" (type $usage))
    (export "embeddings" (type $embeddings)) (export "embed" (func $embed)))
  (export "ampoule:model/lifecycle@0.1.0" (instance $lifecycle))
  (export "ampoule:model/text-embedding@0.1.0" (instance $text-embedding))
)
